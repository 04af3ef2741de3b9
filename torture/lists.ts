import type { ListFilter, PageQuery, SortValue } from 'cached-resolvers'
import type { ListEntryId } from '../packages/cached-resolvers/src/cache/namespace.js'
import type { ListKey } from '../packages/cached-resolvers/src/loaders/page.js'
import { entryIdOf } from '../packages/cached-resolvers/src/loaders/reads.js'
import { cursorScope } from '../src/graphql/connection.js'
import { Cursors } from '../src/graphql/cursor.js'
import { orders } from '../src/shop/orders/order.js'
import { products } from '../src/shop/products/product.js'

/** A page of products (of one category or all) or of a user's orders */
export interface ListPage {
  kind: 'products' | 'orders'
  page: PageQuery
}

/** The pages that readers have requested. Each may be cached, so each is compared at the end. */
export class RequestedPages {
  private readonly pages = new Map<string, ListPage>()

  add(page: ListPage): void {
    this.pages.set(JSON.stringify(page), page)
  }

  get all(): ListPage[] {
    return [...this.pages.values()]
  }
}

/** A GraphQL field that selects the nodes of the page (`selection`) and the length of the list */
export function pageField({ kind, page }: ListPage, selection: string): string {
  const body = `{ nodes { ${selection} } totalCount pageInfo { hasNextPage hasPreviousPage } }`
  if (kind === 'orders') return `user(id: "${page.list}") { id orders${listArguments(page, `orders of ${page.list}`)} ${body} }`
  const name = page.list === null ? 'products' : `products of ${page.list}`
  return `products${listArguments(page, name, page.list)} ${body}`
}

function listArguments(page: PageQuery, name: string, category: string | null = null): string {
  const { after, before, afterValue, beforeValue, size, from, sort, filter } = page
  const cursors = new Cursors(cursorScope(name, sort, filter))
  const cursor = (id: number, value: SortValue | undefined) =>
    cursors.encode({ ids: [`_${id}`], ...(value !== undefined && { values: [value] }) }, 0)
  const listArgs = [
    category !== null && `category: "${category}"`,
    sort !== undefined && `sortBy: ${sort}`,
    filter && `filter: ${filterArgument(filter)}`,
    `${from === 'start' ? 'first' : 'last'}: ${size}`,
    after !== null && `after: "${cursor(after, afterValue)}"`,
    before !== null && `before: "${cursor(before, beforeValue)}"`,
  ]
  return `(${listArgs.filter(Boolean).join(', ')})`
}

function filterArgument({ inStock, price }: ListFilter): string {
  const range = typeof price === 'object' ? price : { min: null, max: null }
  const fields = [
    inStock !== undefined && `inStock: ${inStock}`,
    range.min !== null && `minPrice: ${range.min / 100}`,
    range.max !== null && `maxPrice: ${range.max / 100}`,
  ]
  return `{ ${fields.filter(Boolean).join(', ')} }`
}

export function listEntry(kind: ListPage['kind'], key: ListKey): ListEntryId {
  return entryIdOf(kind === 'products' ? products.lists.productLists : orders.lists.userOrderLists, key)
}
