import { publicId } from 'cached-resolvers'
import type { LiveChange } from '../database/live-changes.js'

/** Of the cache: an entry, a list, or (neither) a whole namespace */
export interface Outdated {
  namespace: string
  entry: string | null
  list: string | null
}

/** What a subscriber might still be shown the old value of, in an answer to one of these changes. */
export function outdatedBy(changes: readonly LiveChange[]): Outdated[] {
  const products = changes.filter(({ kind }) => kind === 'product')
  const orders = changes.filter(({ kind }) => kind === 'order')
  const users = idsOf('user', orders, ({ owners }) => owners)
  return [
    ...entries('products', idsOf('product', products)),
    ...entries('orders', idsOf('order', orders)),
    ...lists('user-orders', users),
    // A user may be as new as the order.
    ...entries('users', users),
  ]
}

/** By a transaction of which only a part was read */
export const outdatedByAnything: readonly Outdated[] = ['products', 'orders', 'user-orders', 'users'].map(whole)

/** Each once; null where any may have changed. */
function idsOf(
  kind: 'user' | 'product' | 'order',
  changes: readonly LiveChange[],
  numbersOf = ({ ids }: LiveChange) => ids,
): string[] | null {
  const numbers = changes.map(numbersOf)
  if (numbers.includes(null)) return null
  return [...new Set(numbers.flatMap((its) => its ?? []))].map((number) => publicId(kind, number))
}

function entries(namespace: string, ids: readonly string[] | null): Outdated[] {
  if (ids === null || ids.length > maxKeys) return [whole(namespace)]
  return ids.map((entry) => ({ namespace, entry, list: null }))
}

function lists(namespace: string, keys: readonly string[] | null): Outdated[] {
  if (keys === null || keys.length > maxKeys) return [whole(namespace)]
  return keys.map((list) => ({ namespace, entry: null, list }))
}

/** That is one key, whatever it holds. */
function whole(namespace: string): Outdated {
  return { namespace, entry: null, list: null }
}

const maxKeys = 500
