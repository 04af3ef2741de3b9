import type { EntryId, Namespace } from '../../packages/cached-resolvers/src/cache/namespace.js'
import type { Change, Notes } from './postgres-server.js'

/**
 * What the workload reads and writes. A register is a row with a version: `product_1` and so on, each an entry, and `list`, of which
 * there are two pages under one list.
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

/** Of a register, or of a page of the list */
export function entryOf(key: string): EntryId {
  const [, page] = key.split('/')
  return page === undefined ? key : { list: 'all', parameters: { page } }
}

/** Where the version of what is read stands */
export function registerOf(key: string): string {
  return key.split('/')[0] as string
}

/** As the triggers of the migrations: over `bulk` rows in one statement the whole namespace is noted. */
export function notesOf(changes: readonly Change[], bulk: number): Notes {
  const products = changes.filter(({ key }) => key !== listKey).map(({ key }) => key)
  const outbox =
    products.length > bulk
      ? [{ namespace: 'products', entry: null, list: null }]
      : products.map((entry) => ({ namespace: 'products', entry, list: null }))
  const lists = changes.some(({ key }) => key === listKey) ? [{ namespace: 'product-lists', entry: null, list: 'all' }] : []
  const ids = products.map((key) => Number(key.slice('product_'.length)))
  return { outbox: [...outbox, ...lists], live: products.length > 0 ? [{ kind: 'product', ids, owners: null }] : [] }
}
