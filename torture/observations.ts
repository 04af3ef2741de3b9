import type { Data } from './graphql-client.js'
import type { Seen } from './ledger.js'
import { versionIn } from './shop.js'

/** A version of a row, as it was seen somewhere in an answer. */
export interface Observation {
  cell: string
  seen: Seen
}

/** All users and products in an answer; `ids` are those that were asked for by alias a0, a1, ... where null means gone. */
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
  // Name and price are written together; a row torn in two counts as its older part.
  const version = price === undefined ? versionIn(name) : Math.min(versionIn(name), Math.round(price * 100))
  return [{ cell: id, seen: version }, ...(stock === undefined ? [] : [{ cell: `${id}.stock`, seen: stock }])]
}

/** An order's products stand in the order of its productIds. */
function observeItems({ productIds, products }: Data): Observation[] {
  if (!Array.isArray(productIds) || !Array.isArray(products)) return []
  return productIds.flatMap((id, index) => (products[index] === null ? [{ cell: id, seen: 'gone' as const }] : []))
}
