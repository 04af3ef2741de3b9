/** One kind of cached value and how long it stays fresh. */
export interface Namespace<V> {
  /** Part of every key: lower-case letters, digits and dashes */
  readonly name: string
  /** Increment it when the shape of V changes: entries of another version are misses. */
  readonly version: number
  /** How long a value is fresh, with a jitter of plus or minus 10 % */
  readonly softTtlMs: number
  /** How long after the soft TTL a value may still be served while it is refilled */
  readonly graceMs: number
  /** How long a negative entry ("there is no such value") is fresh, with the same jitter */
  readonly negativeTtlMs: number
  /** Only for the type checker: the type of the values */
  readonly value?: V
}

/** An entry of a list, such as a page, is identified by its parameters. Invalidating the list covers all of them. */
export interface ListEntryId {
  readonly list: string
  readonly parameters: Parameters
}

export type EntryId = string | ListEntryId
export type Parameters = Readonly<Record<string, string | number | boolean | null>>

/**
 * What to invalidate: single entries, whole lists, or the whole namespace. Each id, list or namespace costs one key, however many
 * entries it covers.
 */
export type Invalidation = { readonly ids: readonly string[] } | { readonly lists: readonly string[] } | 'all'

/**
 * Fetches from the source of truth. The keys of the map are the ids as given; values that do not exist are absent. `signal` is
 * aborted when all callers that waited for the values have cancelled.
 */
export type Fetch<Id extends EntryId, V> = (ids: readonly Id[], signal?: AbortSignal) => Promise<ReadonlyMap<Id, V>>
