import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from './random.js'
import type { World } from './world.js'

/** What it holds now comes back when it is killed later. */
export async function snapshotRedis({ redis }: World): Promise<void> {
  await redis.snapshot()
}

export async function killRedis({ redis }: World, random: Random): Promise<void> {
  const pauseMs = random.chance(0.5) ? 0 : random.between(50, 1_000)
  await redis.kill()
  await sleep(pauseMs)
  await redis.start()
}

export async function killNormalClients({ redis }: World): Promise<void> {
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'normal')
}

export async function killPubsubClients({ redis }: World): Promise<void> {
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
}

export async function pauseRedis({ redis }: World, random: Random): Promise<void> {
  const pauseMs = random.between(50, 800)
  await redis.client.call('CLIENT', 'PAUSE', String(pauseMs), random.pick(['ALL', 'WRITE']))
  await sleep(pauseMs)
}
