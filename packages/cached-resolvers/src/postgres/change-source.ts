import type { ChangeSource } from '../cache/change-source.js'
import { findCacheStore, registerCacheStore, reportCacheStoreInUse, unregisterCacheStore } from './cache-stores.js'
import type { Database } from './database.js'
import type { Relay } from './relay.js'

export interface ChangeSourceOptions {
  database: Database
  relay: Relay
  /** All namespaces that this version of the program knows */
  namespaces: readonly string[]
  leaseMs: number
}

/** The change source in Postgres: the registered stores and the outbox. */
export function createChangeSource({ database, relay, namespaces, leaseMs }: ChangeSourceOptions): ChangeSource {
  return {
    leaseMs,
    find: (name) => findCacheStore(database, name),
    register: (name) => registerCacheStore(database, { name, namespaces }),
    reportInUse: (registration) => reportCacheStoreInUse(database, registration),
    catchUp: (registration, epoch) => relay.catchUp({ registration, epoch }),
    unregister: (registration) => unregisterCacheStore(database, registration),
  }
}
