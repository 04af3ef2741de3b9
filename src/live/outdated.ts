import type { LiveChange } from '../database/live-changes.js'
import { publicId } from '../model.js'

/** Of the cache: an entry, a list, or (neither) a whole namespace */
export interface Outdated {
  namespace: string
  entry: string | null
  list: string | null
}

/** What a subscriber might still be shown the old value of, in an answer to one of these changes. */
export function outdatedBy(changes: readonly LiveChange[]): Outdated[] {
  return changes.flatMap(({ kind, ids, owners }) => {
    if (kind === 'product') return entries('products', ids?.map((id) => publicId('product', id)) ?? null)
    const users = [...new Set(owners)].map((id) => publicId('user', id))
    return [
      ...entries('orders', ids?.map((id) => publicId('order', id)) ?? null),
      ...users.map((list) => ({ namespace: 'user-orders', entry: null, list })),
      // A user may be as new as the order.
      ...entries('users', users),
    ]
  })
}

/** A whole namespace is one key, whatever it holds. */
function entries(namespace: string, ids: readonly string[] | null): Outdated[] {
  if (ids === null || ids.length > maxEntries) return [{ namespace, entry: null, list: null }]
  return ids.map((entry) => ({ namespace, entry, list: null }))
}

const maxEntries = 500
