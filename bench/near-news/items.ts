import { setTimeout as sleep } from 'node:timers/promises'
import { Cache } from '../../src/cache/cache.js'
import type { Namespace } from '../../src/cache/namespace.js'
import type { RedisStoreOptions } from '../../src/cache/redis-store.js'
import type { CacheStore } from '../../src/cache/store.js'
import { createTokenSource } from '../../src/cache/token.js'
import { load } from './load.js'

export interface Item {
  id: string
  name: string
  price: number
}

/** Probes live long enough never to become stale. */
export interface Namespaces {
  items: Namespace<Item>
  probes: Namespace<Item>
}

export function createNamespaces(softTtlMs: number): Namespaces {
  const items = { name: 'items', version: 1, softTtlMs, graceMs: 600_000, negativeTtlMs: 60_000 }
  return { items, probes: { ...items, name: 'probes', softTtlMs: 3_600_000 } }
}

export const keyPrefix = 'news:v1:'
export const probeKeyPrefix = `${keyPrefix}probes:`

export async function fetchItems(ids: readonly string[]): Promise<Map<string, Item>> {
  await sleep(load.fetchMs)
  return new Map(ids.map((id) => [id, { id, name: `What is called item ${id}`, price: 19.99 }]))
}

export function idsUpTo(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index))
}

interface CacheSettings {
  store: CacheStore
  near: boolean
  now: () => number
}

export function createCache({ store, near, now }: CacheSettings): Cache {
  return new Cache({
    ...{ store, now, prefix: 'news', version: 'v1', namespaces: [{ name: 'items' }, { name: 'probes' }] },
    near: near ? { maxBytes: 32_000_000, maxStalenessMs: 500 } : null,
    ...{ leaseMs: 10_000, leaseWaitMs: 1_000, createToken: createTokenSource(), random: Math.random },
    fetches: { maxRunning: 20, maxRunMs: 10_000, maxWaiting: 500, maxWaitMs: 1_000 },
    sleep: (ms) => sleep(ms),
  })
}

export function storeOptions(url: string): RedisStoreOptions {
  return {
    ...{ target: { kind: 'server', url }, connections: 1, channel: 'news:removals' },
    ...{ commandTimeoutMs: 1_000, healthIntervalMs: 1_000, log: () => {} },
  }
}
