/**
 * Finds many values with one SQL statement, which is cancelled when the signal is aborted. Values that do not exist are absent
 * from the map.
 */
export type Fetcher<Key, V> = (keys: readonly Key[], signal?: AbortSignal) => Promise<ReadonlyMap<Key, V>>
