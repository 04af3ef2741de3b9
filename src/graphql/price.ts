import { Extensions } from 'type-graphql'

/** What the general rule (see cost.ts and docs/security.md) does not say of a field or a type. */
export interface Price {
  /** In points. Of a type: for each value (0.05 unless told). Of a field: beyond that of its type (0 unless told) */
  weight?: number
  /** Of a field: how many values its list is taken to have, where neither a page size nor a list of arguments says so */
  listSize?: number
  /** Of a field: how many values each of its arguments that are lists may have */
  maxItems?: number
}

/** The price of a field or a type, beside its declaration. */
export function Priced(price: Price) {
  return Extensions({ [key]: price })
}

export function priceOf({ extensions }: { extensions: Readonly<Record<string, unknown>> }): Price {
  return (extensions[key] as Price | undefined) ?? unpriced
}

const key = 'price'
const unpriced: Price = {}
