import type { Cache } from '../cache/cache.js'
import type { EntryId, Namespace } from '../cache/namespace.js'
import { fetchEntries } from './cached-batch.js'
import type { Entities, Entity, List } from './entity.js'
import type { Fetcher } from './fetcher.js'
import type { ListKey } from './page.js'
import { entryIdOf, fetcherOf, fetcherOfList, type Read } from './reads.js'

/**
 * Functions by namespace name. Each fills the namespace with at most `limit` of its newest values, and returns how many of these
 * entries are cached afterwards.
 */
export type WarmUp = ReadonlyMap<string, (limit: number) => Promise<number>>

/** Creates the warm-up of all cached namespaces. For each list, the warm-up caches the first page, of `pageSize` items. */
export function createWarmUp<Source>(cache: Cache, entities: Entities<Source>, read: Read<Source>, pageSize: number): WarmUp {
  const warmUps = new Map<string, (limit: number) => Promise<number>>()
  for (const entity of Object.values(entities)) {
    warmUps.set(entity.namespace.name, (limit) => warmEntity(cache, entity, read, limit))
    for (const list of Object.values(entity.lists)) {
      const { namespace } = list
      if (namespace) warmUps.set(namespace.name, (limit) => warmList(cache, namespace, { list, entity, read, pageSize, limit }))
    }
  }
  return warmUps
}

async function warmEntity<V, Source>(
  cache: Cache,
  entity: Entity<V, Source>,
  read: Read<Source>,
  limit: number,
): Promise<number> {
  const { namespace, newest } = entity
  const ids = await read(namespace.name, (source) => newest(source, limit))
  return warm(cache, namespace, (id) => id, ids, fetcherOf(entity, read))
}

interface ListWarmUp<Source> {
  list: List<Source>
  entity: Entity<unknown, Source>
  read: Read<Source>
  pageSize: number
  limit: number
}

async function warmList<Source>(
  cache: Cache,
  namespace: Namespace<unknown>,
  { list, entity, read, pageSize, limit }: ListWarmUp<Source>,
): Promise<number> {
  const keyValues = await read(namespace.name, (source) => list.newest(source, limit))
  const keys = keyValues.map(
    (keyValue): ListKey => ({ list: keyValue, after: null, before: null, size: pageSize, from: 'start' }),
  )
  return warm(cache, namespace, (key) => entryIdOf(list, key), keys, fetcherOfList(list, entity, read))
}

const chunkSize = 500

async function warm<Key, V>(
  cache: Cache,
  namespace: Namespace<V>,
  toEntryId: (key: Key) => EntryId,
  keys: readonly Key[],
  fetch: Fetcher<Key, V>,
): Promise<number> {
  let entries = 0
  for (let start = 0; start < keys.length; start += chunkSize) {
    const keyOf = new Map(keys.slice(start, start + chunkSize).map((key) => [toEntryId(key), key]))
    entries += await cache.warmMany(namespace, [...keyOf.keys()], fetchEntries(keyOf, fetch))
  }
  return entries
}
