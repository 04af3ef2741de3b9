import type { Namespace } from '../cache/namespace.js'
import { type EntityTracking, type ListTracking, type NamespaceRules, rulesOfEntity, rulesOfList } from './invalidation-rules.js'
import { type ListFilterOptions, type ListVariants, maxBounds } from './list-names.js'
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
 * Declares a cached type. `Source` is the type of the object that values are read from, such as a database connection. `fetch`,
 * `newest` and the functions of lists should each run one statement, regardless of the number of keys.
 */
export interface EntityOptions<V, Source> extends EntityTracking {
  /**
   * Increment the version when the shape of the values changes, or how they are computed: entries of other versions are misses.
   * Default: 1
   */
  version?: number
  fresh: Freshness
  /** Reads values by id. Ids that do not exist are absent from the map. */
  fetch: (source: Source, ids: readonly string[]) => Promise<ReadonlyMap<string, V>>
  /** Returns the ids of the newest values, at most `limit`, newest first. The warm-up puts these values into the cache. */
  newest: (source: Source, limit: number) => Promise<readonly string[]>
  /** Returns the part of a value that audits compare. Default: the whole value */
  comparable?: (value: V) => unknown
  /** The lists of this entity, by loader name */
  lists?: Readonly<Record<string, ListOptions<Source>>>
}

/** A list is cached as pages of ids and as a count of its ids. The values are cached separately, under their ids. */
export interface ListOptions<Source> extends ListTracking {
  /** Name of the namespace of the list in the cache. Omit it for a list that is not cached */
  name?: string
  /**
   * Increment the version when the definition of the list changes (its filter, its order or the shape of a page). Default: the
   * version of the entity
   */
  version?: number
  fresh?: Freshness
  pages: (source: Source, queries: readonly PageQuery[]) => Promise<ReadonlyMap<PageQuery, Page>>
  counts: (source: Source, queries: readonly ListQuery[]) => Promise<ReadonlyMap<ListQuery, number>>
  /**
   * Chooses at most `limit` lists, whose first pages the warm-up puts into the cache. Returns for each list its value of `key` (with
   * `keyKind` the public id, such as user_7), or null for the list of all rows.
   */
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
  /** Invalidation rules of the namespace of the entity and of the namespaces of its lists */
  readonly rules: readonly NamespaceRules[]
}

export interface List<Source> extends Required<Pick<ListOptions<Source>, 'pages' | 'counts' | 'newest'>> {
  /**
   * Returns the name that a list has in the outbox and in cache keys. `keyValue` is its value of `key` (with `keyKind` the public id), or
   * null for the list of all rows.
   */
  readonly toOutboxName: (keyValue: string | null) => string
  /** The inverse of `toOutboxName` */
  readonly fromOutboxName: (name: string) => string | null
  readonly keyKind: string | undefined
  /** How the list can be sorted and filtered */
  readonly variants: ListVariants
  /** null if the list is not cached */
  readonly namespace: Namespace<Page | number> | null
}

/** Entities by loader name */
// biome-ignore lint/suspicious/noExplicitAny: any entity on that source
export type Entities<Source> = Readonly<Record<string, Entity<any, Source>>>

/** The source that these entities are read from */
export type SourceOf<E extends Entities<never>> = SourceOfOne<E[keyof E]>
type SourceOfOne<E> = E extends Entity<infer _V, infer Source> ? Source : never

/**
 * Declares a type whose values are cached by id, and the lists of its values. The engine derives loaders, audits, the warm-up and
 * reports from the declaration. Throws if a list lacks a required prefix (see ListTracking.prefix), if the bounds of a filter are
 * invalid (see RangeOptions), or if `live` is set without `table` or without `kind`.
 */
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
  const { newest = async () => [], prefix = '', key, keyKind, withAll = key === undefined, sorts = {}, filters = {} } = options
  for (const [filter, declared] of Object.entries(filters)) {
    const problem = filterProblem(declared)
    if (problem !== undefined) throw new Error(`${describeList(name, key)}: in the filter "${filter}", ${problem}`)
  }
  if (key !== undefined && keyKind === undefined && withAll && prefix === '')
    throw new Error(
      `${describeList(name, key)}: set prefix, because ` +
        `the list for ${key} = "all" would have the same name as the list of all rows`,
    )
  return {
    keyKind,
    variants: { sorts, filters },
    namespace: name === undefined ? null : namespaceOf(name, version, fresh),
    pages,
    counts,
    newest,
    toOutboxName: (keyValue) => {
      // A client asked for the list of the id "all". Since "all" is not an id of the kind `keyKind`, this list is always empty,
      // but it must not get the outbox name of the list of all rows. No id begins with a space, so ' all' is not the name of an
      // existing list.
      if (keyValue === 'all' && keyKind !== undefined && prefix === '') return ' all'
      if (keyValue !== null) return `${prefix}${keyValue}`
      // Without withAll, the triggers do not record changes of the list of all rows, so its entries would never be invalidated.
      if (!withAll) throw new Error(`${describeList(name, key)}: set withAll: true to load the list of all rows`)
      return 'all'
    },
    fromOutboxName: (text) => (text === 'all' && withAll ? null : text.slice(prefix.length)),
  }
}

function filterProblem(filter: ListFilterOptions): string | undefined {
  if ('greaterThan' in filter) return Number.isSafeInteger(filter.greaterThan) ? undefined : 'greaterThan must be a whole number'
  const { bounds } = filter
  const isAscending = bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] as number))
  const isValid = bounds.length > 0 && bounds.length <= maxBounds && isAscending && bounds.every(Number.isSafeInteger)
  return isValid ? undefined : `bounds must be 1 to ${maxBounds} whole numbers in ascending order`
}

/** Names a list in error messages. */
function describeList(name: string | undefined, key: string | undefined): string {
  return `List${key === undefined ? '' : ` by ${key}`}${name === undefined ? ' (not cached)' : ` "${name}"`}`
}

/** Options of a list whose defaults are the options of its entity */
interface ListDefaults {
  version: number
  fresh: Freshness
}

function namespaceOf(name: string, version: number, { softMs, graceMs, negativeMs }: Freshness) {
  return { name, version, softTtlMs: softMs, graceMs, negativeTtlMs: negativeMs }
}

/**
 * Returns the namespace of each entity, followed by the namespaces of its lists. Throws if a name, kind or loader name is used
 * twice, or if a kind is invalid.
 */
export function namespacesOf<Source>(entities: Entities<Source>): Namespace<unknown>[] {
  const all = Object.values(entities)
  const namespaces = all.flatMap(({ namespace, lists }) => [namespace, ...Object.values(lists).map((list) => list.namespace)])
  const cached = namespaces.filter((namespace) => namespace !== null)
  rejectDuplicates(
    'namespace',
    cached.map(({ name }) => name),
    // Names that differ only in case, or in - and _, count as duplicates: applications may derive GraphQL enum values from them.
    (name) => name.toLowerCase().replaceAll('-', '_'),
  )
  for (const { kind } of all)
    if (kind !== null && !/^[a-z]\w*$/i.test(kind))
      throw new Error(
        `The kind "${kind}" must begin with a letter and contain only letters, digits and underscores: ids begin with it, as in product_7`,
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

/** Throws if two names are equal after `normalize`. */
function rejectDuplicates(property: string, names: readonly string[], normalize = (name: string) => name): void {
  const seen = new Map<string, string>()
  for (const name of names) {
    const other = seen.get(normalize(name))
    if (other === name) throw new Error(`Two entities or lists have the ${property} "${name}": rename one of them`)
    if (other !== undefined)
      throw new Error(
        `Two entities or lists have the ${property}s "${other}" and "${name}", which are too similar: rename one of them`,
      )
    seen.set(normalize(name), name)
  }
}
