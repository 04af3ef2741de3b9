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
import { changeRecordsOf, productKeys } from './registers.js'
import { activate, SimulatedProcess, Simulation } from './simulation.js'

/**
 * Environment for the contract tests, which also run against the real servers: one process, and time that advances while a test
 * waits.
 */
function createHarness() {
  const simulation = new Simulation(1, false)
  activate(simulation)
  const network = new Network(simulation, { minMs: 0.1, maxMs: 0.5, slowShare: 0.05 })
  useNetwork(network)
  const process = new SimulatedProcess('A', simulation.random('A'))
  const call = <T>(work: () => Promise<T>): Promise<T> => {
    activate(simulation)
    return simulation.runUntilSettled(simulation.runAs(process, work))
  }
  const wait = (ms: number) => {
    activate(simulation)
    return simulation.runUntil(simulation.now + ms)
  }
  return { simulation, network, process, call, wait }
}

export function createStoreSubject(options: RedisStoreOptions): { store: CacheStore; wait: (ms: number) => Promise<void> } {
  const { simulation, network, process, call, wait } = createHarness()
  const server = new RedisServer({
    ...{ name: 'redis', simulation, random: simulation.random('redis'), reportsRunId: true },
    onRemoved: () => undefined,
  })
  network.route('redis', () => server)
  const target = { kind: 'server' as const, url: 'redis' }
  const store = simulation.runAs(process, () => new RedisStore({ ...options, target }))
  const proxy = new Proxy(store, {
    get(target, name: keyof RedisStore) {
      const member = target[name] as unknown
      return typeof member === 'function' ? (...args: unknown[]) => call(() => member.apply(target, args)) : member
    },
  })
  return { store: proxy, wait }
}

export function createOutboxSubject() {
  const { simulation, network, process, call, wait } = createHarness()
  const server = new PostgresServer({
    simulation,
    changeRecordsOf: (changes) => changeRecordsOf(changes, 500),
    onCommitted: () => undefined,
  })
  server.seed(productKeys(9))
  network.route('postgres', () => server)
  const database = simulation.runAs(
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
