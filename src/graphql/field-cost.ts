import { Extensions } from 'type-graphql'

/** Settings that override the default cost of a field or a type (see cost.ts and docs/security.md) */
export interface FieldCost {
  /**
   * Points. The weight of a type is the cost of each object of the type (default: 0.05). The weight of a field is added to the
   * cost of the objects that it returns (default: 0).
   */
  weight?: number
  /** For fields: the assumed length of the returned list, if neither a page size nor a list argument determines the length */
  listSize?: number
  /** For fields: maximum number of items in each list argument */
  maxItems?: number
  /** For fields: points added for each of these arguments that is given and not null */
  argumentWeights?: Readonly<Record<string, number>>
}

/** Declares the cost of a field or a type. */
export function Cost(cost: FieldCost) {
  return Extensions({ [key]: cost })
}

/** Returns the settings declared by @Cost, without the default values. */
export function declaredCostOf({ extensions }: { extensions: Readonly<Record<string, unknown>> }): FieldCost {
  return (extensions[key] as FieldCost | undefined) ?? nothingDeclared
}

const key = 'cost'
const nothingDeclared: FieldCost = {}
