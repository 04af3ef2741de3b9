import type { Namespace } from '../cache/namespace.js'
import type { ListQuery, Page, PageQuery } from './page.js'
import { type EntityTracking, type ListTracking, type NamespaceRules, rulesOfEntity, rulesOfList } from './rules.js'

/** How fresh values have to be, in milliseconds. */
export interface Freshness {
  /** So long a value counts as fresh, plus or minus a tenth. Changes in the database invalidate it before. */
  softMs: number
  /** For so long after that a stale value may be served, while it is fetched again or where that fails. */
  graceMs: number
  /** So long it is remembered that there is no such value. */
  negativeMs: number
}

/** `Source` is what values are read from: a connection to the database. Each function runs one statement, whatever the number of keys. */
export interface EntityOptions<V, Source> extends EntityTracking {
  /** To be raised when the shape of the values, or what they are made of, changes: entries of another version are misses. 1 unless given */
  version?: number
  fresh: Freshness
  /** Finds values by id. Ids that do not exist are absent from the map. */
  fetch: (source: Source, ids: readonly string[]) => Promise<ReadonlyMap<string, V>>
  /** Ids to warm the cache with, at most `limit` of them: the newest */
  newest: (source: Source, limit: number) => Promise<readonly string[]>
  /** What an audit compares of a value: all of it, unless given */
  comparable?: (value: V) => unknown
  /** By the names of their loaders */
  lists?: Readonly<Record<string, ListOptions<Source>>>
}

/** Pages of ids, and their number. What is in a page is cached under its own id. */
export interface ListOptions<Source> extends ListTracking {
  /** Of its namespace in the cache; left out for a list that is not cached */
  name?: string
  /** To be raised when what a page holds changes: as the entity's, unless given */
  version?: number
  fresh?: Freshness
  pages: (source: Source, queries: readonly PageQuery[]) => Promise<ReadonlyMap<PageQuery, Page>>
  counts: (source: Source, queries: readonly ListQuery[]) => Promise<ReadonlyMap<ListQuery, number>>
  /** Lists to warm the cache with, at most `limit` of them; null is the list of all */
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
  /** Of its namespace and those of its lists */
  readonly rules: readonly NamespaceRules[]
}

export interface List<Source> extends Required<Pick<ListOptions<Source>, 'pages' | 'counts' | 'newest'>> {
  /** What the outbox calls a list */
  readonly nameOf: (list: string | null) => string
  /** The list of such a name */
  readonly listOf: (name: string) => string | null
  readonly keyKind: string | undefined
  /** null: it is not cached */
  readonly namespace: Namespace<Page | number> | null
}

/** By the names of their loaders */
// biome-ignore lint/suspicious/noExplicitAny: any entity on that source
export type Entities<Source> = Readonly<Record<string, Entity<any, Source>>>

/** What these entities are read from */
export type SourceOf<E extends Entities<never>> = SourceOfOne<E[keyof E]>
type SourceOfOne<E> = E extends Entity<infer _V, infer Source> ? Source : never

/** A type whose values are cached by id, with its lists. Loaders, audit, warm-up and reports follow from it. */
export function defineEntity<V, Source, Lists extends string = never>(
  options: Omit<EntityOptions<V, Source>, 'lists'> & { lists?: Readonly<Record<Lists, ListOptions<Source>>> },
): Entity<V, Source, Lists> {
  const { name, kind = null, version = 1, fresh, fetch, newest, comparable = (value) => value } = options
  const namespace = namespaceOf(name, version, fresh)
  const { table, live } = options
  const given = Object.entries<ListOptions<Source>>(options.lists ?? {})
  const lists = given.map(([loader, list]) => [loader, defineList({ version, fresh, ...list })])
  const rules = [{ namespace: name, version, rules: rulesOfEntity(options) }]
  for (const [, list] of given)
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

function defineList<Source>({ name, version, fresh, pages, counts, ...options }: ListOptions<Source> & Defaults): List<Source> {
  const { newest = async () => [], prefix = '', key, keyKind, withAll = key === undefined } = options
  if (key !== undefined && keyKind === undefined && withAll && prefix === '')
    throw new Error(`The lists of ${name} by ${key} need a prefix: one of them may be named as that of all is`)
  return {
    keyKind,
    namespace: name === undefined ? null : namespaceOf(name, version, fresh),
    ...{ pages, counts, newest },
    nameOf: (list) => {
      // No list of that kind has such a name, and the list of all is not it.
      if (list === 'all' && keyKind !== undefined && prefix === '') return ' all'
      if (list !== null) return `${prefix}${list}`
      // It would not be invalidated.
      if (!withAll) throw new Error(`The lists of ${name} by ${key} are declared without one of all: set withAll`)
      return 'all'
    },
    listOf: (text) => (text === 'all' && withAll ? null : text.slice(prefix.length)),
  }
}

/** Those of the entity */
interface Defaults {
  version: number
  fresh: Freshness
}

function namespaceOf(name: string, version: number, { softMs, graceMs, negativeMs }: Freshness) {
  return { name, version, softTtlMs: softMs, graceMs, negativeTtlMs: negativeMs }
}

/** Each with its lists behind it. Throws where two have one name, or two entities one kind. */
export function namespacesOf<Source>(entities: Entities<Source>): Namespace<unknown>[] {
  const all = Object.values(entities)
  const namespaces = all.flatMap(({ namespace, lists }) => [namespace, ...Object.values(lists).map((list) => list.namespace)])
  const cached = namespaces.filter((namespace) => namespace !== null)
  refuseTwice(
    'namespace',
    // Names of enum values and of settings in SQL follow from them.
    cached.map(({ name }) => name.toLowerCase().replaceAll('-', '_')),
  )
  refuseTwice(
    'kind',
    all.flatMap(({ kind }) => kind ?? []),
  )
  refuseTwice(
    'loader',
    Object.entries(entities).flatMap(([name, { lists }]) => [name, ...Object.keys(lists)]),
  )
  return cached
}

function refuseTwice(what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new Error(`Two entities or lists have the ${what} "${twice}"`)
}
