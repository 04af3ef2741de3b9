import type { CacheStore } from '../../packages/cached-resolvers/src/cache/store.js'
import { RedisStore, type RedisStoreOptions } from '../../packages/cached-resolvers/src/redis/redis-store.js'
import type { Database } from '../../src/platform/database/connection.js'
import * as cacheStores from './cache-stores.js'
import { SimulatedDatabase, type SimulatedTransaction } from './database.js'
import { useNetwork } from './ioredis.js'
import * as liveChanges from './live-changes.js'
import { Network } from './network.js'
import * as outbox from './outbox.js'
import { PostgresServer } from './postgres-server.js'
import { RedisServer } from './redis-server.js'
import { notesOf, productKeys } from './registers.js'
import { activate, SimulatedProcess, Simulation } from './simulation.js'

/** For the contracts that the real servers are held to as well: one process, and time that goes on while somebody waits. */
function createStage() {
  const simulation = new Simulation(1, false)
  activate(simulation)
  const network = new Network(simulation, { leastMs: 0.1, mostMs: 0.5, lateShare: 0.05 })
  useNetwork(network)
  const process = new SimulatedProcess('A', simulation.random('A'))
  const call = <T>(work: () => Promise<T>): Promise<T> => {
    activate(simulation)
    return simulation.settle(simulation.as(process, work))
  }
  const wait = (ms: number) => {
    activate(simulation)
    return simulation.runUntil(simulation.now + ms)
  }
  return { simulation, network, process, call, wait }
}

export function createStoreSubject(options: RedisStoreOptions): { store: CacheStore; wait: (ms: number) => Promise<void> } {
  const { simulation, network, process, call, wait } = createStage()
  const server = new RedisServer({
    ...{ name: 'redis', simulation, random: simulation.random('redis'), tellsRunId: true },
    onRemoved: () => undefined,
  })
  network.route('redis', () => server)
  const target = { kind: 'server' as const, url: 'redis' }
  const store = simulation.as(process, () => new RedisStore({ ...options, target }))
  const called = new Proxy(store, {
    get(its, name: keyof RedisStore) {
      const member = its[name] as unknown
      return typeof member === 'function' ? (...given: unknown[]) => call(() => member.apply(its, given)) : member
    },
  })
  return { store: called, wait }
}

export function createOutboxSubject() {
  const { simulation, network, process, call, wait } = createStage()
  const server = new PostgresServer({
    simulation,
    notesOf: (changes) => notesOf(changes, 500),
    onCommitted: () => undefined,
  })
  server.seed(productKeys(9))
  network.route('postgres', () => server)
  const database = simulation.as(
    process,
    () => new SimulatedDatabase(network, process, { purpose: 'postgres pool', maxConnections: 10 }, () => 0.1),
  )
  return {
    outbox,
    cacheStores,
    liveChanges,
    call,
    wait,
    database: database.asDatabase,
    write: (transaction: unknown, products: readonly number[]) =>
      (transaction as SimulatedTransaction).write(products.map((id) => ({ key: `product_${id}`, exists: true }))),
    stop: async () => undefined,
  } satisfies { database: Database } & Record<string, unknown>
}
