import { type ListEntryId, type ListKey, partOf } from 'cached-resolvers'

/** Where things are cached that have no id of their own. The triggers in database/migrations write the same names. */
export function productListEntry(key: ListKey): ListEntryId {
  return { list: key.list === null ? 'all' : `category:${key.list}`, parameters: partOf(key) }
}

export function userOrderListEntry(key: ListKey): ListEntryId {
  return { list: key.list ?? '', parameters: partOf(key) }
}

export const totalsId = 'totals'
