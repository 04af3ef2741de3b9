import type { ListEntryId } from '../cache/namespace.js'
import type { ListQuery, PageQuery } from '../model.js'

/** Where lists are cached. The triggers in database/migrations write the same names. */
export function productPageEntry(query: PageQuery): ListEntryId {
  return { list: productList(query.list), parameters: pageParameters(query) }
}

export function productCountEntry({ list }: ListQuery): ListEntryId {
  return { list: productList(list), parameters: { count: true } }
}

export function userOrderPageEntry(query: PageQuery): ListEntryId {
  return { list: query.list ?? '', parameters: pageParameters(query) }
}

export function userOrderCountEntry({ list }: ListQuery): ListEntryId {
  return { list: list ?? '', parameters: { count: true } }
}

export const totalsId = 'totals'

/** Equal for equal queries, as a DataLoader needs it. */
export function listKey({ list }: ListQuery): string {
  return JSON.stringify(list)
}

export function pageKey(query: PageQuery): string {
  return JSON.stringify([query.list, query.after, query.before, query.size, query.from])
}

function productList(category: string | null): string {
  return category === null ? 'all' : `category:${category}`
}

function pageParameters({ after, before, size, from }: PageQuery) {
  return { after, before, size, from }
}
