/** Which changes in the database invalidate the values of an entity */
export interface EntityTracking {
  /** Name of its namespace in the cache, as in metrics, the outbox and keys */
  name: string
  /** Prefix of its ids, as in `product_7`; omitted for an entity without public ids of its own */
  kind?: string
  /**
   * The table whose rows the values are, identified by a column `id`. Every change of it invalidates the entries it affects,
   * whoever made it.
   */
  table?: string
  /** Other tables that a value depends on, with the column that refers to the entity: `{ order_items: 'order_id' }` */
  parts?: Readonly<Record<string, string>>
  /** Tables that all values depend on, and whether only inserts and deletes invalidate them (`membership`) or any change */
  aggregates?: Readonly<Record<string, 'membership' | 'any change'>>
  /**
   * The changes published to subscribers: of rows that changed, or of rows created for an owner, whose id is in the column. Needs
   * integer ids.
   */
  live?: 'changed' | { createdFor: { column: string; kind: string } }
}

/** Which changes invalidate a list of an entity: rows inserted, deleted, or moved from one list to another */
export interface ListTracking {
  /** The column of the entity's table that determines the list of a row; omitted if there is only the list of all rows */
  key?: string
  /** If `key` holds numbers of ids, the kind of these ids: the column `user_id` holds 7, and the list is that of `user_7` */
  keyKind?: string
  /** Whether there is also a list of all rows besides those by `key`; its name is null in loaders. */
  withAll?: boolean
  /**
   * Prefix of the list names in the outbox, where the list of all rows is named 'all'. Required if a value of `key` may be 'all'.
   */
  prefix?: string
}

/** What changed rows of a table invalidate in a namespace. The JSON format read by cache_follow() of tables.sql. */
export type InvalidationRule = { table: string } & (
  | { entries: { column: string; prefix: string } }
  | { lists: { column: string | null; prefix: string; withAll: boolean } }
  | { all: 'membership' | 'any change' }
  | { live: { kind: string; owner?: string } }
)

/** All rules of a namespace. If two versions of a program run at once, the rules with the greater version apply. */
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
    throw new Error(`The entity "${name}" is declared with live changes, which require a table and a kind`)
  return [...rules, { table, live: live === 'changed' ? { kind } : { kind, owner: live.createdFor.column } }]
}

export function rulesOfList(
  { key, keyKind, withAll = key === undefined, prefix = '' }: ListTracking,
  table: string | undefined,
): InvalidationRule[] {
  if (table === undefined) return []
  return [{ table, lists: { column: key ?? null, prefix: keyKind === undefined ? prefix : `${prefix}${keyKind}_`, withAll } }]
}
