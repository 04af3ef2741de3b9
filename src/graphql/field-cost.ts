import { Extensions } from 'type-graphql'

/** Overrides the default cost (see cost.ts and docs/security.md) of a field or a type. */
export interface FieldCost {
  /** In points. Of a type: for each object (default: 0.05). Of a field: added to the cost of its type (default: 0) */
  weight?: number
  /** Of a field: the assumed length of its list, if neither a page size nor a list argument determines it */
  listSize?: number
  /** Of a field: maximum number of items of each of its list arguments */
  maxItems?: number
}

/** Declares the cost of a field or a type. */
export function Cost(cost: FieldCost) {
  return Extensions({ [key]: cost })
}

export function costOf({ extensions }: { extensions: Readonly<Record<string, unknown>> }): FieldCost {
  return (extensions[key] as FieldCost | undefined) ?? defaultCost
}

const key = 'cost'
const defaultCost: FieldCost = {}
