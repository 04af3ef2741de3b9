import { setTimeout as sleep } from 'node:timers/promises'
import { updateUser } from './graphql-writers.js'
import type { Random } from './random.js'
import type { RedisAddress } from './redis-address.js'
import type { RedisServer } from './redis-server.js'
import { buyers } from './shop.js'
import type { World } from './world.js'

const syncTimeoutMs = 3_000
const syncPollMs = 20

/**
 * Like a change of DNS or of a load balancer: for a while all processes connect to another server, then to the first again, which
 * has not restarted.
 */
export function moveAllAddresses(world: World, random: Random): Promise<void> {
  return redirect(world, random, (addresses) => addresses)
}

/** Split brain: one process connects to another server than the rest. */
export function moveOneAddress(world: World, random: Random): Promise<void> {
  return redirect(world, random, (addresses) => [random.pick(addresses)])
}

/**
 * Like a slow network: messages from Redis to one process are delayed. Mutations through other processes must wait until that one
 * has applied the invalidation.
 */
export async function delayMessages(world: World, random: Random): Promise<void> {
  const api = random.pick(world.apis)
  const [forMs, connections] = [random.between(50, 900), random.pick(['listening', 'listening', 'all'] as const)]
  const writers = world.apis.filter((other) => other !== api && other.isUp && !other.isSuspended)
  const until = world.now() + forMs
  api.address?.delay(forMs, connections)
  while (world.now() < until) {
    if (writers.length > 0) await updateUser({ world, api: random.pick(writers) }, random.pick(buyers))
    await sleep(random.between(1, 20))
  }
}

/**
 * The master becomes a replica of the other server, keeps its connections, and later becomes a master again with the data of the
 * other server.
 */
export function demoteMaster(world: World, random: Random): Promise<void> {
  return exclusively(world, async (addresses, first, other) => {
    const [follows, replicaMs, isSynced] = [random.chance(0.5), random.between(0, 1_000), random.chance(0.8)]
    if (follows) for (const address of addresses) address.pointTo(other, { cut: false })
    await first.client.replicaof('127.0.0.1', other.port)
    if (isSynced) await untilSynced(world, first)
    await sleep(replicaMs)
    await first.client.replicaof('NO', 'ONE')
    for (const address of addresses) address.pointTo(first, { cut: follows || random.chance(0.5) })
  })
}

function redirect(world: World, random: Random, choose: (addresses: readonly RedisAddress[]) => readonly RedisAddress[]) {
  return exclusively(world, async (addresses, first, other) => {
    const chosen = choose(addresses)
    const pointAllTo = (server: RedisServer, cut: boolean) => {
      for (const address of chosen) address.pointTo(server, { cut })
    }
    pointAllTo(other, random.chance(0.7))
    await sleep(random.between(100, 1_500))
    if (random.chance(0.3)) {
      pointAllTo(first, false)
      await sleep(random.between(100, 500))
    }
    // At the end, no connection to the other server remains.
    pointAllTo(first, true)
  })
}

/** Runs `change`, unless another change of addresses is in progress. */
async function exclusively(
  world: World,
  change: (addresses: readonly RedisAddress[], first: RedisServer, other: RedisServer) => Promise<void>,
): Promise<void> {
  if (world.addressesAreMoving) return
  world.addressesAreMoving = true
  const [first, other] = world.servers as readonly [RedisServer, RedisServer]
  try {
    await change(
      world.apis.flatMap(({ address }) => address ?? []),
      first,
      other,
    )
  } finally {
    world.addressesAreMoving = false
  }
}

/** Waits until the replica is in sync, or is a master again because it was killed and restarted. */
async function untilSynced({ now }: World, { client }: RedisServer): Promise<void> {
  const until = now() + syncTimeoutMs
  while (now() < until && !/master_link_status:up|role:master/.test(await client.info('replication'))) await sleep(syncPollMs)
}
