import type { ListVariants } from './list-names.js'

/** Which changes in the database invalidate the values of an entity */
export interface EntityTracking {
  /** Name of the namespace of the entity in the cache, in metrics, the outbox and cache keys */
  name: string
  /** Prefix of the entity's ids, such as `product` in `product_7`. Omit it for an entity without public ids */
  kind?: string
  /**
   * The table that contains one row for each value, identified by the column `id`. Each change of a row invalidates the entry of
   * the row, regardless of the program that makes the change.
   */
  table?: string
  /**
   * Other tables that a value depends on, and for each the column that contains the entity's id: `{ order_items: 'order_id' }`
   */
  parts?: Readonly<Record<string, string>>
  /**
   * Tables that all values depend on. With `membership`, only inserts and deletes invalidate the values; otherwise any change.
   */
  aggregates?: Readonly<Record<string, 'membership' | 'any change'>>
  /**
   * Which changes are published to subscribers: all changes of rows (`changed`), or rows created for an owner. `column` contains
   * the id of the owner. Needs integer ids.
   */
  live?: 'changed' | { createdFor: { column: string; kind: string } }
}

/**
 * Which changes invalidate a list of an entity: rows inserted, deleted, or moved from one list to another, and for sorted and filtered
 * pages the changes that dependenciesOf() describes
 */
export interface ListTracking extends ListVariants {
  /** The column of the entity's table that determines the list of a row. Omit it if the list of all rows is the only list */
  key?: string
  /**
   * The kind of the ids in `key`, if `key` contains id numbers: with `user`, a row whose `key` is 7 is in the list of `user_7`.
   */
  keyKind?: string
  /** Whether there is a list of all rows besides the lists by `key`. Loaders identify it by null. */
  withAll?: boolean
  /**
   * Prefix of the names of the lists by `key` in the outbox. The list of all rows is always named 'all', so a prefix is required
   * if there is such a list and a value of `key` may be 'all'.
   */
  prefix?: string
}

/** What changed rows of a table invalidate in a namespace, in the JSON format that cache_follow() in tables.sql reads */
export type InvalidationRule = { table: string } & (
  | { entries: { column: string; prefix: string } }
  | { lists: ListRule }
  | { all: 'membership' | 'any change' }
  | { live: { kind: string; owner?: string } }
)

interface ListRule {
  column: string | null
  prefix: string
  withAll: boolean
  /** The columns that a list is sorted by, without `id`. A column with a range has the bounds of the range. */
  sorts?: readonly { column: string; type: 'integer' | 'text'; bounds?: readonly number[] }[]
  conditions?: readonly { name: string; column: string; greaterThan: number }[]
  ranges?: readonly { name: string; column: string; bounds: readonly number[] }[]
}

/** All rules of a namespace, and the version of the declaration that they are derived from */
export interface NamespaceRules {
  namespace: string
  version: number
  rules: readonly InvalidationRule[]
}

export function rulesOfEntity(entity: EntityTracking): InvalidationRule[] {
  const { name, kind, table, parts = {}, aggregates = {}, live } = entity
  const prefix = kind === undefined ? '' : `${kind}_`
  const own: [string, string][] = table === undefined ? [] : [[table, 'id']]
  const keyed = [...own, ...Object.entries(parts)]
  const rules: InvalidationRule[] = keyed.map(([table, column]) => ({ table, entries: { column, prefix } }))
  for (const [table, all] of Object.entries(aggregates)) rules.push({ table, all })
  if (!live) return rules
  if (table === undefined || kind === undefined)
    throw new Error(`The entity "${name}" is declared with live: set table and kind, which live changes require`)
  return [...rules, { table, live: live === 'changed' ? { kind } : { kind, owner: live.createdFor.column } }]
}

export function rulesOfList(
  { key, keyKind, withAll = key === undefined, prefix = '', sorts = {}, filters = {} }: ListTracking,
  table: string | undefined,
): InvalidationRule[] {
  if (table === undefined) return []
  const lists: ListRule = { column: key ?? null, prefix: keyKind === undefined ? prefix : `${prefix}${keyKind}_`, withAll }
  const typeOfColumn = new Map(
    Object.values(sorts).map(({ column, collation }) => [column, collation === undefined ? 'integer' : 'text'] as const),
  )
  typeOfColumn.delete('id')
  const named = Object.entries(filters).map(([name, filter]) => ({ name, ...filter }))
  const ranges = named.filter((filter) => 'bounds' in filter)
  const conditions = named.filter((filter) => 'greaterThan' in filter)
  const boundsOf = (column: string) => ranges.find((range) => range.column === column)?.bounds
  const sorted = [...typeOfColumn].map(([column, type]) => {
    const bounds = boundsOf(column)
    return { column, type, ...(bounds && { bounds }) }
  })
  if (sorted.length > 0) lists.sorts = sorted
  if (conditions.length > 0) lists.conditions = conditions
  if (ranges.length > 0) lists.ranges = ranges
  return [{ table, lists }]
}
