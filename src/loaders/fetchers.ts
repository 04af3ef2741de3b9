import type { IdKind, ListQuery, Order, Page, PageQuery, Product, Totals, User } from '../model.js'

/** Finds many values with one SQL statement, which ends when the signal is aborted. What does not exist is absent from the map. */
export type Fetcher<Key, V> = (keys: readonly Key[], signal?: AbortSignal) => Promise<ReadonlyMap<Key, V>>

/** What the loaders want from the database. */
export interface Fetchers {
  users: Fetcher<string, User>
  products: Fetcher<string, Product>
  orders: Fetcher<string, Order>
  userPages: Fetcher<PageQuery, Page>
  productPages: Fetcher<PageQuery, Page>
  userOrderPages: Fetcher<PageQuery, Page>
  userCounts: Fetcher<ListQuery, number>
  productCounts: Fetcher<ListQuery, number>
  userOrderCounts: Fetcher<ListQuery, number>
  /** There is one value, whatever the key. */
  totals: Fetcher<string, Totals>
  newestIds: (kind: IdKind, limit: number) => Promise<string[]>
  /** The users of the newest orders, each once */
  newestBuyers: (limit: number) => Promise<string[]>
  categories: (limit: number) => Promise<string[]>
}
