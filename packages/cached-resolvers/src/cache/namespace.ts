/** One kind of cached values, and how long they stay fresh */
export interface Namespace<V> {
  /** Part of every key: lower-case letters, digits and dashes */
  readonly name: string
  /** Increment this when the shape of V changes, because entries of a different version are misses. */
  readonly version: number
  /** How long a value is fresh, with a jitter of plus or minus 10 % */
  readonly softTtlMs: number
  /** How long after the soft TTL a value may still be served while it is refilled */
  readonly graceMs: number
  /** How long a negative entry ("there is no such value") is fresh, with the same jitter */
  readonly negativeTtlMs: number
  /** Carries the type of the values, only for the type checker */
  readonly value?: V
}

/** Identifies an entry of a list, such as a page, by its parameters. */
export interface ListEntryId {
  readonly list: string
  readonly parameters: Parameters
  /**
   * The names whose invalidation (see Invalidation.lists) invalidates the entry. The names must follow from `list` and
   * `parameters`. Default: only `list`, so that invalidating the list invalidates all of its entries
   */
  readonly dependencies?: readonly string[]
  /**
   * Called with a value that has been fetched. Returns n if the value depends only on the first n dependencies. Default: it depends on
   * all of them
   */
  readonly relevantDependencyCount?: (value: unknown) => number
}

export type EntryId = string | ListEntryId

/** Returns the names whose invalidation invalidates the entry, see ListEntryId.dependencies. */
export function namesInvalidating({ dependencies, list }: ListEntryId): readonly string[] {
  return dependencies ?? [list]
}
export type Parameters = Readonly<Record<string, string | number | boolean | null>>

/**
 * What to invalidate: single entries, whole lists, or the whole namespace. Each id, list or namespace costs the removal of one
 * key, no matter how many entries it has.
 */
export type Invalidation = { readonly ids: readonly string[] } | { readonly lists: readonly string[] } | 'all'

/**
 * Fetches values from the source of truth. The keys of the returned map are the same ids (objects, for entries of lists) that
 * were passed; an id whose value does not exist is absent. `signal` is aborted when all callers that waited for the values have
 * cancelled.
 */
export type Fetch<Id extends EntryId, V> = (ids: readonly Id[], signal?: AbortSignal) => Promise<ReadonlyMap<Id, V>>
