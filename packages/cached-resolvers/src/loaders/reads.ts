import type { ListEntryId } from '../cache/namespace.js'
import type { Entity, List } from './entity.js'
import type { Fetcher } from './fetcher.js'
import { listFetcher, parametersOf } from './list-loader.js'
import { dependenciesOf } from './list-names.js'
import type { ListKey, Page } from './page.js'

/**
 * Chooses a connection to the source of truth, runs `read` on it, and cancels the read when the signal is aborted. `name` is the
 * namespace whose values are read.
 */
export type Read<Source> = <T>(name: string, read: (source: Source) => Promise<T>, signal?: AbortSignal) => Promise<T>

/** Returns a fetcher of the values of an entity. */
export function fetcherOf<V, Source>({ namespace, fetch }: Entity<V, Source>, read: Read<Source>): Fetcher<string, V> {
  return (ids, signal) => read(namespace.name, (source) => fetch(source, ids), signal)
}

/**
 * Returns a fetcher of pages and counts. Reads of a list that is not cached are reported under the namespace of the list's
 * entity.
 */
export function fetcherOfList<Source>(
  { namespace, pages, counts }: List<Source>,
  { namespace: { name: entityName } }: Entity<unknown, Source>,
  read: Read<Source>,
): Fetcher<ListKey, Page | number> {
  const name = namespace?.name ?? entityName
  return listFetcher(
    (queries, signal) => read(name, (source) => pages(source, queries), signal),
    (queries, signal) => read(name, (source) => counts(source, queries), signal),
  )
}

/** Returns the entry id of a page or a count of a list. */
export function entryIdOf<Source>({ toOutboxName, variants }: List<Source>, key: ListKey): ListEntryId {
  const list = toOutboxName(key.list)
  const id = { list, parameters: parametersOf(key) }
  if (key.filter === undefined && !('sort' in key)) return id
  return { ...id, ...dependenciesOf(variants, list, key) }
}
