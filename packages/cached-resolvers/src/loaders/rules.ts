/** Which changes in the database make the values of an entity wrong */
export interface EntityTracking {
  /** Of its namespace in the cache: in metrics, in the outbox, in keys */
  name: string
  /** What its ids begin with, as in `product_7`; left out where it is no type with ids of its own */
  kind?: string
  /** The table whose rows these are, by a column `id`. Whatever changes in it, by whomever, invalidates what it makes wrong. */
  table?: string
  /** Other tables that a value is made of, with the column that holds its id: `{ order_items: 'order_id' }` */
  parts?: Readonly<Record<string, string>>
  /** Tables that all values are made of, and whether only rows that come and go make them wrong, or any change does */
  aggregates?: Readonly<Record<string, 'membership' | 'any change'>>
  /** What subscribers can hear of: rows that changed, or rows that were made for an owner, whose id the column holds. Needs integer ids. */
  live?: 'changed' | { createdFor: { column: string; kind: string } }
}

/** Which make a list of an entity wrong: rows that come, go, or move from one list to another */
export interface ListTracking {
  /** The column of the entity's table that says which list a row is in; left out where there is only the list of all */
  key?: string
  /** The kind of the ids that lists go by, where `key` holds their numbers: lists of `user_7` by the column `user_id` */
  keyKind?: string
  /** Whether there is a list of all rows, too, besides those by `key`; it is loaded as null. */
  withAll?: boolean
  /** Before the list, where the outbox names it; the list of all is named 'all'. Needed where a list itself may be 'all'. */
  prefix?: string
}

/** What the changed rows of a table make wrong in a namespace of the cache; what cache_follow() of tables.sql reads */
export type Rule = { table: string } & (
  | { entries: { column: string; prefix: string } }
  | { lists: { column: string | null; prefix: string; withAll: boolean } }
  | { all: 'membership' | 'any change' }
  | { live: { kind: string; owner?: string } }
)

/** All rules of a namespace. Of two versions of a program that run at once, those with the greater version stand. */
export interface NamespaceRules {
  namespace: string
  version: number
  rules: readonly Rule[]
}

export function rulesOfEntity(entity: EntityTracking): Rule[] {
  const { name, kind, table, parts = {}, aggregates = {}, live } = entity
  const prefix = kind === undefined ? '' : `${kind}_`
  const own: [string, string][] = table === undefined ? [] : [[table, 'id']]
  const keyed = [...own, ...Object.entries(parts)]
  const rules: Rule[] = keyed.map(([table, column]) => ({ table, entries: { column, prefix } }))
  for (const [table, all] of Object.entries(aggregates)) rules.push({ table, all })
  if (!live) return rules
  if (table === undefined || kind === undefined)
    throw new Error(`The entity "${name}" has live changes, which need a table and a kind`)
  return [...rules, { table, live: live === 'changed' ? { kind } : { kind, owner: live.createdFor.column } }]
}

export function rulesOfList(
  { key, keyKind, withAll = key === undefined, prefix = '' }: ListTracking,
  table: string | undefined,
): Rule[] {
  if (table === undefined) return []
  return [{ table, lists: { column: key ?? null, prefix: keyKind === undefined ? prefix : `${prefix}${keyKind}_`, withAll } }]
}
