import { isDeepStrictEqual } from 'node:util'
import type { Cache } from '../cache/cache.js'
import { type EntryId, type Namespace, namesInvalidating } from '../cache/namespace.js'
import { fetchEntries } from './cached-batch.js'
import type { Entities, Entity, List } from './entity.js'
import type { Fetcher } from './fetcher.js'
import { firstKeysOf } from './list-keys.js'
import type { ListKey } from './page.js'
import { entryIdOf, fetcherOf, fetcherOfList, type Read } from './reads.js'

export interface AuditReport {
  /** Number of cached entries that were compared */
  audited: number
  /** Entries that differed from the database in two comparisons, `maxStalenessMs` apart. The audit has invalidated them. */
  wrong: readonly WrongEntry[]
}

interface WrongEntry {
  namespace: string
  entry: EntryId
  cached: unknown
  actual: unknown
}

export interface AuditOptions<Source> {
  cache: Cache
  entities: Entities<Source>
  read: Read<Source>
  /** Number of items in the page that is compared for each list */
  pageSize: number
  /** How long a cached entry may lag behind the database before a difference is an error */
  maxStalenessMs: number
  sleep: (ms: number) => Promise<void>
}

/** Compares a random sample of the cached entries with the database. Rejects if the sample or the database cannot be read. */
export async function audit<Source>(options: AuditOptions<Source>, entries: number): Promise<AuditReport> {
  const sample = await options.cache.sample(entries)
  const idsOrListsIn = ({ name }: Namespace<unknown>) => [
    ...new Set(sample.filter(({ namespace }) => namespace === name).map(({ idOrList }) => idOrList)),
  ]
  const audits = Object.values(options.entities).flatMap((entity) => [
    auditEntity(options, entity, idsOrListsIn(entity.namespace)),
    ...Object.values(entity.lists).map((list) =>
      auditList(options, list, entity, list.namespace ? idsOrListsIn(list.namespace) : []),
    ),
  ])
  const reports = await Promise.all(audits)
  return { audited: reports.reduce((sum, { audited }) => sum + audited, 0), wrong: reports.flatMap(({ wrong }) => wrong) }
}

function auditEntity<V, Source>(options: AuditOptions<Source>, entity: Entity<V, Source>, ids: readonly string[]) {
  const { namespace, comparable } = entity
  return compare(options, namespace, { keys: ids, toEntryId: (id) => id, fetch: fetcherOf(entity, options.read), comparable })
}

async function auditList<Source>(
  options: AuditOptions<Source>,
  list: List<Source>,
  entity: Entity<unknown, Source>,
  names: readonly string[],
): Promise<AuditReport> {
  if (list.namespace === null) return { audited: 0, wrong: [] }
  const keys = names.map(list.fromOutboxName).flatMap((keyValue) => firstKeysOf(list, keyValue, options.pageSize))
  const toEntryId = (key: ListKey) => entryIdOf(list, key)
  const fetch = fetcherOfList(list, entity, options.read)
  return compare(options, list.namespace, { keys, toEntryId, fetch, comparable: (value) => value })
}

interface Comparison<Key, V> {
  keys: readonly Key[]
  toEntryId: (key: Key) => EntryId
  fetch: Fetcher<Key, V>
  comparable: (value: V) => unknown
}

async function compare<Key, V, Source>(
  { cache, maxStalenessMs, sleep }: AuditOptions<Source>,
  namespace: Namespace<V>,
  { keys, toEntryId, fetch, comparable }: Comparison<Key, V>,
): Promise<AuditReport> {
  const keyOf = new Map(keys.map((key) => [toEntryId(key), key]))
  const comparableOf = (value: V | null | undefined) => (value == null ? null : comparable(value))

  const findDifferences = async (ids: readonly EntryId[]) => {
    const lookups = await cache.peekMany(namespace, ids)
    const cached = ids.flatMap((id, index) => {
      const lookup = lookups[index]
      if (!lookup || lookup.state === 'miss') return []
      return [{ id, value: lookup.state === 'negative' ? null : lookup.value }]
    })
    if (cached.length === 0) return { audited: 0, wrong: [] }
    const actual = await fetchEntries(keyOf, fetch)(cached.map(({ id }) => id))
    const wrong = cached.filter(({ id, value }) => !isDeepStrictEqual(comparableOf(value), comparableOf(actual.get(id))))
    return {
      audited: cached.length,
      wrong: wrong.map(({ id, value }) => ({
        namespace: namespace.name,
        entry: id,
        cached: value,
        actual: actual.get(id) ?? null,
      })),
    }
  }

  const first = await findDifferences([...keyOf.keys()])
  if (first.wrong.length > 0) await sleep(maxStalenessMs)
  const { wrong } = await findDifferences(first.wrong.map(({ entry }) => entry))
  for (const { entry } of wrong) {
    await cache.invalidate(namespace, typeof entry === 'string' ? { ids: [entry] } : { lists: namesInvalidating(entry) })
  }
  cache.countAudit(namespace, first.audited, wrong.length)
  return { audited: first.audited, wrong }
}
