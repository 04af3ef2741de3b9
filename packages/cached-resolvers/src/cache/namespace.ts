/** One kind of cached value, and how fresh it has to be. */
export interface Namespace<V> {
  /** Part of every key: lower case letters, digits and dashes. */
  readonly name: string
  /** Raised when the shape of V changes: entries of another version are misses. */
  readonly version: number
  /** How long a value counts as fresh, plus or minus 10 % of jitter. */
  readonly softTtlMs: number
  /** How long after that it may still be served while it is being refilled. */
  readonly graceMs: number
  /** How long "there is no such value" is believed. */
  readonly negativeTtlMs: number
  /** Only for the type checker: the value that an entry holds. */
  readonly value?: V
}

/** An entry of a list (a page, say) is told apart by its parameters; invalidating the list covers them all. */
export interface ListEntryId {
  readonly list: string
  readonly parameters: Parameters
}

export type EntryId = string | ListEntryId
export type Parameters = Readonly<Record<string, string | number | boolean | null>>

/** What to invalidate: single entries, whole lists, or everything in the namespace. Each costs one key, whatever it holds. */
export type Invalidation = { readonly ids: readonly string[] } | { readonly lists: readonly string[] } | 'all'

/**
 * Fetches from the source of truth. Values that do not exist are absent from the map; its keys are the ids as given. `signal` is aborted
 * when nobody waits for them any more.
 */
export type Fetch<Id extends EntryId, V> = (ids: readonly Id[], signal?: AbortSignal) => Promise<ReadonlyMap<Id, V>>
