import { type Cancellation, cancellationOf } from '../cache/cancellation.js'
import { CountedEntries } from '../cache/counted-entries.js'
import type { CacheReader } from './cache-reader.js'
import { cachedBatch, listBatch, splitBatch, uncachedBatch } from './cached-batch.js'
import type { Entities, Entity, List, SourceOf } from './entity.js'
import { ListLoader } from './list-loader.js'
import { isCacheable } from './list-names.js'
import { Loader } from './loader.js'
import type { ListKey, Page } from './page.js'
import { entryIdOf, fetcherOf, fetcherOfList, type Read } from './reads.js'

/** The loaders of a request: one for each entity and each list, by loader name */
export type Loaders<E> = EntityLoaders<E> &
  ListLoaders<E> & {
    /** Returns the loader of the entity whose ids are of this kind; undefined if no entity has this kind. */
    ofKind(kind: string): Loader<string, { id: string } | null> | undefined
    /** Forgets all loaded values. Call it after a write, so that the request that wrote reads the new values. */
    clearAll(): void
  }

type EntityLoaders<E> = {
  readonly [Name in keyof E]: E[Name] extends Entity<infer V, infer _> ? Loader<string, V | null> : never
}
type ListLoaders<E> = { readonly [Name in ListNames<E>]: ListLoader }
type ListNames<E> = { [Name in keyof E]: E[Name] extends { lists: Readonly<Record<infer L, unknown>> } ? L : never }[keyof E] &
  string

/**
 * Returns a function that creates the loaders of one request. Loaders remember values, so requests must not share loaders.
 * `cancellation` is called when a loader has to wait. If it is omitted, the request cannot be cancelled.
 */
export function createLoaderFactory<E extends Entities<never>>(
  cache: CacheReader,
  entities: E,
  read: Read<SourceOf<E>>,
): (cancellation?: () => Cancellation) => Loaders<E> {
  const factories: Record<string, LoaderFactory> = {}
  const byKind = new Map<string, string>()
  for (const [name, entity] of Object.entries(entities as unknown as Entities<SourceOf<E>>)) {
    if (entity.kind !== null) byKind.set(entity.kind, name)
    factories[name] = entityLoaderFactory(cache, entity, read)
    for (const [listName, list] of Object.entries(entity.lists))
      factories[listName] = listLoaderFactory(cache, list, entity, read)
  }
  return createLazyLoaders(factories, byKind) as (cancellation?: () => Cancellation) => never
}

function entityLoaderFactory<V, Source>(cache: CacheReader, entity: Entity<V, Source>, read: Read<Source>): LoaderFactory {
  const { namespace } = entity
  const batch = cachedBatch(cache, namespace, fetcherOf(entity, read))
  return ({ cancellation, counted }) => {
    const readNear = cache.hasNear ? (id: string) => cache.readNear(namespace, id, counted) : undefined
    return new Loader<string, V | null>({ readNear, batch, cancellation })
  }
}

function listLoaderFactory<Source>(
  cache: CacheReader,
  list: List<Source>,
  entity: Entity<unknown, Source>,
  read: Read<Source>,
): LoaderFactory {
  const { namespace } = list
  const fetch = fetcherOfList(list, entity, read)
  if (namespace === null) {
    const batch = uncachedBatch(fetch)
    return ({ cancellation }) => new ListLoader({ batch, cancellation })
  }
  const isCached = ({ filter }: ListKey) => isCacheable(list.variants, filter)
  const toEntryId = (key: ListKey) => entryIdOf(list, key)
  const cached = listBatch<ListKey, Page | number>(
    (ids, fetch, options) => cache.getOrFetchMany(namespace, ids, fetch, options),
    toEntryId,
    fetch,
  )
  // Bypasses the cache, but not the limit on running fetches
  const uncached = listBatch<ListKey, Page | number>(
    (ids, fetch, options) => cache.fetchMany(namespace, ids, fetch, options),
    toEntryId,
    fetch,
  )
  const batch = splitBatch(isCached, cached, uncached)
  return ({ cancellation, counted }) => {
    const readNear = (key: ListKey) =>
      isCached(key) ? (cache.readNear(namespace, entryIdOf(list, key), counted) ?? undefined) : undefined
    return new ListLoader({ readNear: cache.hasNear ? readNear : undefined, batch, cancellation })
  }
}

interface LoaderRequest {
  cancellation: () => Cancellation
  /** The entries counted as hits for this request, so that an entry that several fields load is counted once */
  counted: CountedEntries
}

type LoaderFactory = (request: LoaderRequest) => { clearAll: () => void }

/** Returns a function that creates loaders on first access, since most requests need only one or two. */
function createLazyLoaders(factories: Readonly<Record<string, LoaderFactory>>, byKind: ReadonlyMap<string, string>) {
  class LazyLoaders {
    private readonly created: Record<string, { clearAll: () => void }> = {}
    readonly counted = new CountedEntries()

    constructor(readonly cancellation: () => Cancellation) {}

    clearAll(): void {
      this.counted.clear()
      for (const loader of Object.values(this.created)) loader.clearAll()
    }

    ofKind(kind: string): unknown {
      const name = byKind.get(kind)
      return name === undefined ? undefined : this[name as keyof this]
    }

    getOrCreate(name: string, factory: LoaderFactory) {
      this.created[name] ??= factory(this)
      return this.created[name]
    }
  }
  for (const [name, factory] of Object.entries(factories)) {
    Object.defineProperty(LazyLoaders.prototype, name, {
      get(this: LazyLoaders) {
        return this.getOrCreate(name, factory)
      },
    })
  }
  return (cancellation: () => Cancellation = cancellationOf) => new LazyLoaders(cancellation)
}
