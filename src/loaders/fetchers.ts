import type { Fetcher, ListQuery, Page, PageQuery } from 'cached-resolvers'
import type { IdKind, Order, Product, Totals, User } from '../model.js'

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
