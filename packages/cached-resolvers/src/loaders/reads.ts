import type { ListEntryId } from '../cache/namespace.js'
import type { Entity, List } from './entity.js'
import type { Fetcher } from './fetcher.js'
import { type ListKey, listFetcher, parametersOf } from './list-loader.js'
import type { Page } from './page.js'

/**
 * Runs a read of the source of truth on a connection of its choice, and cancels it when the signal is aborted. `name` is the
 * namespace that the read is for.
 */
export type Read<Source> = <T>(name: string, read: (source: Source) => Promise<T>, signal?: AbortSignal) => Promise<T>

export function fetcherOf<V, Source>({ namespace, fetch }: Entity<V, Source>, read: Read<Source>): Fetcher<string, V> {
  return (ids, signal) => read(namespace.name, (source) => fetch(source, ids), signal)
}

/** A fetcher of pages and counts. Reads of a list that is not cached are reported under the namespace of its entity. */
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

/** The entry id of a page or a count of a list */
export function entryIdOf<Source>({ nameOf }: List<Source>, key: ListKey): ListEntryId {
  return { list: nameOf(key.list), parameters: parametersOf(key) }
}
