import type { EntryId, Namespace } from '../../packages/cached-resolvers/src/cache/namespace.js'
import type { Change, ChangeRecords } from './postgres-server.js'

/**
 * The data of the workload. A register is a row with a version: the products `product_1`, `product_2`, ..., each cached as an
 * entry, and `list`, of which two pages are cached.
 */
export const listKey = 'list'
export const listPages = ['list/1', 'list/2'] as const

export interface Namespaces {
  products: Namespace<{ version: number }>
  lists: Namespace<{ version: number }>
}

export function createNamespaces(times: Pick<Namespace<unknown>, 'softTtlMs' | 'graceMs' | 'negativeTtlMs'>): Namespaces {
  return { products: { name: 'products', version: 1, ...times }, lists: { name: 'product-lists', version: 1, ...times } }
}

export function productKeys(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `product_${index + 1}`)
}

/** The id of the cache entry of a product or of a page of the list */
export function entryOf(key: string): EntryId {
  const [, page] = key.split('/')
  return page === undefined ? key : { list: 'all', parameters: { page } }
}

/** The register that holds the version of a key */
export function registerOf(key: string): string {
  return key.split('/')[0] as string
}

/**
 * Like the triggers of the migrations: a statement that changes more than `bulkThreshold` products invalidates the whole
 * namespace.
 */
export function changeRecordsOf(changes: readonly Change[], bulkThreshold: number): ChangeRecords {
  const products = changes.filter(({ key }) => key !== listKey).map(({ key }) => key)
  const outbox =
    products.length > bulkThreshold
      ? [{ namespace: 'products', entry: null, list: null }]
      : products.map((entry) => ({ namespace: 'products', entry, list: null }))
  const lists = changes.some(({ key }) => key === listKey) ? [{ namespace: 'product-lists', entry: null, list: 'all' }] : []
  const ids = products.map((key) => Number(key.slice('product_'.length)))
  return { outbox: [...outbox, ...lists], live: products.length > 0 ? [{ kind: 'product', ids, owners: null }] : [] }
}
