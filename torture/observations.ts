import type { Data } from './graphql-client.js'
import type { Seen } from './ledger.js'
import { versionIn, versionOfPrice } from './shop.js'

/** A version of a row that an answer contained */
export interface Observation {
  cell: string
  seen: Seen
}

/**
 * All users and products in an answer. `ids` are those requested with the aliases a0, a1, ...; null for one of these means that
 * it does not exist.
 */
export function observe(data: Data, ids: readonly string[] = []): Observation[] {
  const missing = ids.filter((_, index) => data[`a${index}`] === null)
  return [...missing.map((cell) => ({ cell, seen: 'gone' as const })), ...observeValue(data)]
}

function observeValue(value: unknown): Observation[] {
  if (Array.isArray(value)) return value.flatMap(observeValue)
  if (typeof value !== 'object' || value === null) return []
  const node = value as Data
  return [...observeNode(node), ...observeItems(node), ...Object.values(node).flatMap(observeValue)]
}

function observeNode({ id, name, price, stock }: Data): Observation[] {
  if (typeof id !== 'string' || typeof name !== 'string') return []
  // Name and price are written together; a mix of two versions counts as the older one.
  const version = price === undefined ? versionIn(name) : Math.min(versionIn(name), versionOfPrice(price))
  return [{ cell: id, seen: version }, ...(stock === undefined ? [] : [{ cell: `${id}.stock`, seen: stock }])]
}

/** The products of an order have the same order as its productIds. */
function observeItems({ productIds, products }: Data): Observation[] {
  if (!Array.isArray(productIds) || !Array.isArray(products)) return []
  return productIds.flatMap((id, index) => (products[index] === null ? [{ cell: id, seen: 'gone' as const }] : []))
}
