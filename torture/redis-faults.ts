import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.js'
import type { RedisServer } from './redis-server.js'
import type { World } from './world.js'

/** Saves a snapshot, with whose data the server restarts after a later kill. */
export async function snapshotRedis(world: World, random: Random): Promise<void> {
  await pickServer(world, random).snapshot()
}

export async function killRedis(world: World, random: Random): Promise<void> {
  const pauseMs = random.chance(0.5) ? 0 : random.between(50, 1_000)
  const server = pickServer(world, random)
  await server.kill()
  await sleep(pauseMs)
  await server.start()
}

export async function killNormalClients(world: World, random: Random): Promise<void> {
  await pickServer(world, random).client.call('CLIENT', 'KILL', 'TYPE', 'normal')
}

export async function killPubsubClients(world: World, random: Random): Promise<void> {
  await pickServer(world, random).client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
}

export async function pauseRedis(world: World, random: Random): Promise<void> {
  const pauseMs = random.between(50, 800)
  await pickServer(world, random).client.call('CLIENT', 'PAUSE', String(pauseMs), random.pick(['ALL', 'WRITE']))
  await sleep(pauseMs)
}

/** A server to which an address points */
export function pickServer({ apis }: World, random: Random): RedisServer {
  return random.pick(apis.flatMap(({ address }) => address?.target ?? []))
}
