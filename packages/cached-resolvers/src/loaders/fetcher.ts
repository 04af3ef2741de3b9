/**
 * Reads the values of all keys with one SQL statement, and cancels the statement when the signal is aborted. Keys without a value
 * are absent from the map.
 */
export type Fetcher<Key, V> = (keys: readonly Key[], signal?: AbortSignal) => Promise<ReadonlyMap<Key, V>>
