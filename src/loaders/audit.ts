import { isDeepStrictEqual } from 'node:util'
import { type Cache, type EntryId, type Fetcher, fetchEntries, type ListKey, listFetcher, type Namespace } from 'cached-resolvers'
import { productListEntry, userOrderListEntry } from './entry-ids.js'
import type { Fetchers } from './fetchers.js'
import { ORDERS, PRODUCT_LISTS, PRODUCTS, STATS, USER_ORDERS, USERS } from './namespaces.js'

export interface AuditReport {
  /** Entries that were in the cache and were compared */
  audited: number
  /** Those that differed from the database, and still did after the bound; they have been invalidated. */
  wrong: readonly WrongEntry[]
}

interface WrongEntry {
  namespace: string
  entry: EntryId
  cached: unknown
  actual: unknown
}

export interface AuditOptions {
  cache: Cache
  fetchers: Fetchers
  /** Of the pages that lists are audited by */
  pageSize: number
  /** How long an entry may lawfully be behind the database */
  boundMs: number
  sleep: (ms: number) => Promise<void>
}

/** Compares entries that the cache holds, taken at random, with the database. Rejects when one of the two is away. */
export async function audit(options: AuditOptions, entries: number): Promise<AuditReport> {
  const sample = await options.cache.sample(entries)
  const reports = await Promise.all(
    Object.entries(createTargets(options)).map(([name, target]) => {
      const parts = new Set(sample.filter(({ namespace }) => namespace === name).map(({ part }) => part))
      return target([...parts])
    }),
  )
  return { audited: reports.reduce((sum, { audited }) => sum + audited, 0), wrong: reports.flatMap(({ wrong }) => wrong) }
}

/** By name of namespace: audits what is cached under these ids or lists. */
function createTargets(options: AuditOptions): Record<string, (parts: readonly string[]) => Promise<AuditReport>> {
  const { fetchers, pageSize } = options
  const byId = (id: string) => id
  const firstPageAndCount = (list: string | null): ListKey[] => [
    { list, after: null, before: null, size: pageSize, from: 'start' },
    { list, count: true },
  ]
  const category = (list: string) => (list === 'all' ? null : list.replace(/^category:/, ''))
  const productLists = listFetcher(fetchers.productPages, fetchers.productCounts)
  const userOrderLists = listFetcher(fetchers.userOrderPages, fetchers.userOrderCounts)
  return {
    [USERS.name]: (ids) => compare(options, USERS, ids, byId, fetchers.users),
    [PRODUCTS.name]: (ids) => compare(options, PRODUCTS, ids, byId, fetchers.products),
    [ORDERS.name]: (ids) => compare(options, ORDERS, ids, byId, fetchers.orders),
    [PRODUCT_LISTS.name]: (lists) =>
      compare(options, PRODUCT_LISTS, lists.map(category).flatMap(firstPageAndCount), productListEntry, productLists),
    [USER_ORDERS.name]: (lists) =>
      compare(options, USER_ORDERS, lists.flatMap(firstPageAndCount), userOrderListEntry, userOrderLists),
    // When they were computed is no part of what is right.
    [STATS.name]: (ids) => compare(options, STATS, ids, byId, fetchers.totals, (totals) => ({ ...totals, asOf: null })),
  }
}

async function compare<Key, V>(
  options: AuditOptions,
  namespace: Namespace<V>,
  keys: readonly Key[],
  toEntryId: (key: Key) => EntryId,
  fetch: Fetcher<Key, V>,
  toComparable: (value: V) => unknown = (value) => value,
): Promise<AuditReport> {
  const { cache, boundMs, sleep } = options
  const keyOf = new Map(keys.map((key) => [toEntryId(key), key]))
  const comparable = (value: V | null | undefined) => (value == null ? null : toComparable(value))

  const findDifferences = async (ids: readonly EntryId[]) => {
    const lookups = await cache.peekMany(namespace, ids)
    const cached = ids.flatMap((id, index) => {
      const lookup = lookups[index]
      if (!lookup || lookup.state === 'miss') return []
      return [{ id, value: lookup.state === 'negative' ? null : lookup.value }]
    })
    if (cached.length === 0) return { audited: 0, wrong: [] }
    const actual = await fetchEntries(keyOf, fetch)(cached.map(({ id }) => id))
    const wrong = cached.filter(({ id, value }) => !isDeepStrictEqual(comparable(value), comparable(actual.get(id))))
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
  if (first.wrong.length > 0) await sleep(boundMs)
  const { wrong } = await findDifferences(first.wrong.map(({ entry }) => entry))
  for (const { entry } of wrong) {
    await cache.invalidate(namespace, typeof entry === 'string' ? { ids: [entry] } : { lists: [entry.list] })
  }
  cache.countAudit(namespace, first.audited, wrong.length)
  return { audited: first.audited, wrong }
}
