import type { Namespace } from '../cache/namespace.js'
import { type EntityTracking, type ListTracking, type NamespaceRules, rulesOfEntity, rulesOfList } from './invalidation-rules.js'
import type { ListQuery, Page, PageQuery } from './page.js'

/** How fresh values have to be, in milliseconds */
export interface Freshness {
  /** Soft TTL: how long a value is fresh, with a jitter of ±10 %. Changes in the database invalidate it earlier. */
  softMs: number
  /** How long after the soft TTL a stale value may be served, while it is refilled or if the refill fails */
  graceMs: number
  /** TTL of negative entries (the value does not exist) */
  negativeMs: number
}

/**
 * `Source` is what values are read from, such as a database connection. Each function runs one statement, whatever the number of
 * keys.
 */
export interface EntityOptions<V, Source> extends EntityTracking {
  /**
   * Raise it when the shape of the values, or what they are computed from, changes: entries of other versions are misses.
   * Default: 1
   */
  version?: number
  fresh: Freshness
  /** Finds values by id. Ids that do not exist are absent from the map. */
  fetch: (source: Source, ids: readonly string[]) => Promise<ReadonlyMap<string, V>>
  /** The newest ids, at most `limit`, to warm the cache with */
  newest: (source: Source, limit: number) => Promise<readonly string[]>
  /** The part of a value that audits compare. Default: all of it */
  comparable?: (value: V) => unknown
  /** By loader name */
  lists?: Readonly<Record<string, ListOptions<Source>>>
}

/** Pages of ids, and the number of ids. The values are cached under their own ids. */
export interface ListOptions<Source> extends ListTracking {
  /** Name of its namespace in the cache; omitted for a list that is not cached */
  name?: string
  /** Raise it when the content of pages changes. Default: the version of the entity */
  version?: number
  fresh?: Freshness
  pages: (source: Source, queries: readonly PageQuery[]) => Promise<ReadonlyMap<PageQuery, Page>>
  counts: (source: Source, queries: readonly ListQuery[]) => Promise<ReadonlyMap<ListQuery, number>>
  /** Lists to warm the cache with, at most `limit`; null is the list of all rows */
  newest?: (source: Source, limit: number) => Promise<readonly (string | null)[]>
}

export interface Entity<V, Source, Lists extends string = string> {
  readonly kind: string | null
  readonly namespace: Namespace<V>
  readonly fetch: EntityOptions<V, Source>['fetch']
  readonly newest: EntityOptions<V, Source>['newest']
  readonly comparable: (value: V) => unknown
  readonly lists: Readonly<Record<Lists, List<Source>>>
  readonly live: EntityOptions<V, Source>['live'] | undefined
  /** Rules of its namespace and of the namespaces of its lists */
  readonly rules: readonly NamespaceRules[]
}

export interface List<Source> extends Required<Pick<ListOptions<Source>, 'pages' | 'counts' | 'newest'>> {
  /** The name of a list in the outbox */
  readonly nameOf: (list: string | null) => string
  /** The list of a name in the outbox */
  readonly listOf: (name: string) => string | null
  readonly keyKind: string | undefined
  /** null if the list is not cached */
  readonly namespace: Namespace<Page | number> | null
}

/** By loader name */
// biome-ignore lint/suspicious/noExplicitAny: any entity on that source
export type Entities<Source> = Readonly<Record<string, Entity<any, Source>>>

/** The source that these entities are read from */
export type SourceOf<E extends Entities<never>> = SourceOfOne<E[keyof E]>
type SourceOfOne<E> = E extends Entity<infer _V, infer Source> ? Source : never

/** Declares a type whose values are cached by id, and its lists. Loaders, audit, warm-up and reports are derived from it. */
export function defineEntity<V, Source, Lists extends string = never>(
  options: Omit<EntityOptions<V, Source>, 'lists'> & { lists?: Readonly<Record<Lists, ListOptions<Source>>> },
): Entity<V, Source, Lists> {
  const { name, kind = null, version = 1, fresh, fetch, newest, comparable = (value) => value } = options
  const namespace = namespaceOf(name, version, fresh)
  const { table, live } = options
  const listOptions = Object.entries<ListOptions<Source>>(options.lists ?? {})
  const lists = listOptions.map(([loader, list]) => [loader, defineList({ version, fresh, ...list })])
  const rules = [{ namespace: name, version, rules: rulesOfEntity(options) }]
  for (const [, list] of listOptions)
    if (list.name !== undefined)
      rules.push({ namespace: list.name, version: list.version ?? version, rules: rulesOfList(list, table) })
  return {
    kind,
    namespace,
    fetch,
    newest,
    comparable,
    lists: Object.fromEntries(lists),
    live,
    rules: rules.filter(({ rules }) => rules.length > 0),
  }
}

function defineList<Source>({
  name,
  version,
  fresh,
  pages,
  counts,
  ...options
}: ListOptions<Source> & ListDefaults): List<Source> {
  const { newest = async () => [], prefix = '', key, keyKind, withAll = key === undefined } = options
  if (key !== undefined && keyKind === undefined && withAll && prefix === '')
    throw new Error(`The lists of ${name} by ${key} need a prefix: one of them could be named "all", like the list of all rows`)
  return {
    keyKind,
    namespace: name === undefined ? null : namespaceOf(name, version, fresh),
    ...{ pages, counts, newest },
    nameOf: (list) => {
      // 'all' is no id of that kind, so no such list exists. Its name must differ from that of the list of all rows.
      if (list === 'all' && keyKind !== undefined && prefix === '') return ' all'
      if (list !== null) return `${prefix}${list}`
      // This list would never be invalidated.
      if (!withAll) throw new Error(`The lists of ${name} by ${key} have no list of all rows: declare it with withAll: true`)
      return 'all'
    },
    listOf: (text) => (text === 'all' && withAll ? null : text.slice(prefix.length)),
  }
}

/** Defaults from the entity */
interface ListDefaults {
  version: number
  fresh: Freshness
}

function namespaceOf(name: string, version: number, { softMs, graceMs, negativeMs }: Freshness) {
  return { name, version, softTtlMs: softMs, graceMs, negativeTtlMs: negativeMs }
}

/** The namespaces of all entities, each followed by those of its lists. Throws if a name, kind or loader name is used twice. */
export function namespacesOf<Source>(entities: Entities<Source>): Namespace<unknown>[] {
  const all = Object.values(entities)
  const namespaces = all.flatMap(({ namespace, lists }) => [namespace, ...Object.values(lists).map((list) => list.namespace)])
  const cached = namespaces.filter((namespace) => namespace !== null)
  rejectDuplicates(
    'namespace',
    // Names of enum values and of settings in SQL follow from them.
    cached.map(({ name }) => name.toLowerCase().replaceAll('-', '_')),
  )
  rejectDuplicates(
    'kind',
    all.flatMap(({ kind }) => kind ?? []),
  )
  rejectDuplicates(
    'loader',
    Object.entries(entities).flatMap(([name, { lists }]) => [name, ...Object.keys(lists)]),
  )
  return cached
}

function rejectDuplicates(property: string, names: readonly string[]): void {
  const duplicate = names.find((name, index) => names.indexOf(name) !== index)
  if (duplicate !== undefined) throw new Error(`Two entities or lists have the ${property} "${duplicate}"`)
}
