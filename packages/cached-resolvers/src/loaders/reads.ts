import type { ListEntryId } from '../cache/namespace.js'
import type { Entity, List } from './entity.js'
import type { Fetcher } from './fetcher.js'
import { type ListKey, listFetcher, partOf } from './list-loader.js'
import type { Page } from './page.js'

/**
 * Runs a read of the source of truth: on a connection that it chooses, until it is done or the signal is aborted. The name is that of the
 * namespace that it is for.
 */
export type Read<Source> = <T>(name: string, read: (source: Source) => Promise<T>, signal?: AbortSignal) => Promise<T>

export function fetcherOf<V, Source>({ namespace, fetch }: Entity<V, Source>, read: Read<Source>): Fetcher<string, V> {
  return (ids, signal) => read(namespace.name, (source) => fetch(source, ids), signal)
}

/** Of pages and counts. A list that is not cached is counted as the entity that it is of. */
export function fetcherOfList<Source>(
  { namespace, pages, counts }: List<Source>,
  { namespace: { name: ofEntity } }: Entity<unknown, Source>,
  read: Read<Source>,
): Fetcher<ListKey, Page | number> {
  const name = namespace?.name ?? ofEntity
  return listFetcher(
    (queries, signal) => read(name, (source) => pages(source, queries), signal),
    (queries, signal) => read(name, (source) => counts(source, queries), signal),
  )
}

/** Where a page, or a count, of a list is cached */
export function entryIdOf<Source>({ nameOf }: List<Source>, key: ListKey): ListEntryId {
  return { list: nameOf(key.list), parameters: partOf(key) }
}
