/** Finds many values with one SQL statement, which ends when the signal is aborted. What does not exist is absent from the map. */
export type Fetcher<Key, V> = (keys: readonly Key[], signal?: AbortSignal) => Promise<ReadonlyMap<Key, V>>
