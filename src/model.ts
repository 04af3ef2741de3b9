/** Public ids carry their type: user_1, product_1, order_1. Instants are ISO 8601 in UTC with milliseconds. */

export interface User {
  id: string
  email: string
  name: string
  createdAt: string
}

export interface Product {
  id: string
  name: string
  /** Major units, exact to two decimals */
  price: number
  stock: number
  category: string
}

/** In characters: no longer name is written, nor asked for. */
export const maxCategoryLength = 100

export interface Order {
  id: string
  userId: string
  /** One for each unit bought, in the order given */
  productIds: string[]
  /** Major units, exact to two decimals */
  total: number
  createdAt: string
}

export interface Totals {
  users: number
  products: number
  orders: number
  /** Major units, exact to two decimals */
  revenue: number
  asOf: string
}

/** What has an id. Tables and loaders have the plural for a name. */
const idKinds = ['user', 'product', 'order'] as const
export type IdKind = (typeof idKinds)[number]

export function publicId(kind: IdKind, number: number): string {
  return `${kind}_${number}`
}

/** The number in a public id of that kind; null for whatever cannot be one. */
export function idNumber(kind: IdKind, id: string): number | null {
  if (!id.startsWith(`${kind}_`)) return null
  const digits = id.slice(kind.length + 1)
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null
}

export function idKind(id: string): IdKind | null {
  return idKinds.find((kind) => idNumber(kind, id) !== null) ?? null
}
