import type { ChangeSource } from '../cache/change-source.js'
import { findCacheStore, registerCacheStore, reportCacheStoreInUse, unregisterCacheStore } from './cache-stores.js'
import type { Database } from './database.js'
import type { Relay } from './relay.js'

export interface ChangeSourceOptions {
  database: Database
  relay: Relay
  /** All namespaces that this version of the program knows */
  namespaces: readonly string[]
  /** Duration of the trust lease: how long a process may serve from a store after reporting it in use */
  leaseMs: number
}

/** Returns a change source that keeps the registered stores and the outbox in Postgres. */
export function createChangeSource({ database, relay, namespaces, leaseMs }: ChangeSourceOptions): ChangeSource {
  return {
    leaseMs,
    find: (name) => findCacheStore(database, name),
    register: (name) => registerCacheStore(database, { name, namespaces }),
    renewLease: (registration) => reportCacheStoreInUse(database, registration),
    catchUp: (registration, epoch) => relay.catchUp({ registration, epoch }),
    unregister: (registration) => unregisterCacheStore(database, registration),
  }
}
