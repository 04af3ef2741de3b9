import { setTimeout as sleep } from 'node:timers/promises'
import { updateUser } from './graphql-writers.js'
import type { Random } from './random.js'
import type { RedisAddress } from './redis-address.js'
import type { RedisServer } from './redis-server.js'
import { buyers } from './shop.js'
import type { World } from './world.js'

const syncPatienceMs = 3_000
const syncPollMs = 20

/** As a change of DNS or of a load balancer: for a while all processes meet another server, then the first again, which has not restarted. */
export function moveAddresses(world: World, random: Random): Promise<void> {
  return redirect(world, random, (addresses) => addresses)
}

/** A split brain: one process meets another server than the rest. */
export function splitAddresses(world: World, random: Random): Promise<void> {
  return redirect(world, random, (addresses) => [random.pick(addresses)])
}

/** As on a bad network: what Redis sends to one process is late. Mutations through another one have to wait until it knows. */
export async function holdConnections(world: World, random: Random): Promise<void> {
  const api = random.pick(world.apis)
  const [forMs, only] = [random.between(50, 900), random.pick(['listening', 'listening', 'all'] as const)]
  const writers = world.apis.filter((other) => other !== api && other.isUp && !other.isSuspended)
  const until = world.now() + forMs
  api.address?.hold(forMs, only)
  while (world.now() < until) {
    if (writers.length > 0) await updateUser({ world, api: random.pick(writers) }, random.pick(buyers))
    await sleep(random.between(1, 20))
  }
}

/** The master becomes a replica of the other server, with its connections open, and later a master again, with that one's data. */
export function demoteMaster(world: World, random: Random): Promise<void> {
  return alone(world, async (addresses, first, other) => {
    const [follows, heldMs, isSynced] = [random.chance(0.5), random.between(0, 1_000), random.chance(0.8)]
    if (follows) for (const address of addresses) address.leadTo(other, { cut: false })
    await first.client.replicaof('127.0.0.1', other.port)
    if (isSynced) await untilSynced(world, first)
    await sleep(heldMs)
    await first.client.replicaof('NO', 'ONE')
    for (const address of addresses) address.leadTo(first, { cut: follows || random.chance(0.5) })
  })
}

function redirect(world: World, random: Random, choose: (addresses: readonly RedisAddress[]) => readonly RedisAddress[]) {
  return alone(world, async (addresses, first, other) => {
    const chosen = choose(addresses)
    const leadAllTo = (server: RedisServer, cut: boolean) => {
      for (const address of chosen) address.leadTo(server, { cut })
    }
    leadAllTo(other, random.chance(0.7))
    await sleep(random.between(100, 1_500))
    if (random.chance(0.3)) {
      leadAllTo(first, false)
      await sleep(random.between(100, 500))
    }
    // In the end no connection leads to the other any more.
    leadAllTo(first, true)
  })
}

/** Where addresses are being changed already, nothing is done. */
async function alone(
  world: World,
  change: (addresses: readonly RedisAddress[], first: RedisServer, other: RedisServer) => Promise<void>,
): Promise<void> {
  if (world.addressesChange) return
  world.addressesChange = true
  const [first, other] = world.servers as readonly [RedisServer, RedisServer]
  try {
    await change(
      world.apis.flatMap(({ address }) => address ?? []),
      first,
      other,
    )
  } finally {
    world.addressesChange = false
  }
}

/** Or it was killed meanwhile, and came back as a master. */
async function untilSynced({ now }: World, { client }: RedisServer): Promise<void> {
  const until = now() + syncPatienceMs
  while (now() < until && !/master_link_status:up|role:master/.test(await client.info('replication'))) await sleep(syncPollMs)
}
