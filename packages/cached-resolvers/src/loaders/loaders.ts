import { type Caller, callerOf } from '../cache/caller.js'
import { CountedEntries } from '../cache/counted-entries.js'
import type { CacheReader } from './cache-reader.js'
import { cachedBatch, cachedListBatch, uncachedBatch } from './cached-batch.js'
import type { Entities, Entity, List, SourceOf } from './entity.js'
import { ListLoader } from './list-loader.js'
import { Loader } from './loader.js'
import { entryIdOf, fetcherOf, fetcherOfList, type Read } from './reads.js'

/** One loader for each entity and each of its lists, under their names */
export type Loaders<E> = EntityLoaders<E> &
  ListLoaders<E> & {
    /** That of the entity whose ids are of this kind */
    ofKind(kind: string): Loader<string, { id: string } | null> | undefined
    /** After a write, so that the same request reads it. */
    forget(): void
  }

type EntityLoaders<E> = {
  readonly [Name in keyof E]: E[Name] extends Entity<infer V, infer _> ? Loader<string, V | null> : never
}
type ListLoaders<E> = { readonly [Name in ListNames<E>]: ListLoader }
type ListNames<E> = { [Name in keyof E]: E[Name] extends { lists: Readonly<Record<infer L, unknown>> } ? L : never }[keyof E] &
  string

/**
 * Gives the loaders of a request: fresh ones, since they remember what they loaded. `caller` is asked for where there is something to wait
 * for; without it, nobody gives up.
 */
export function createLoaderFactory<E extends Entities<never>>(
  cache: CacheReader,
  entities: E,
  read: Read<SourceOf<E>>,
): (caller?: () => Caller) => Loaders<E> {
  const makers: Record<string, Maker> = {}
  const byKind = new Map<string, string>()
  for (const [name, entity] of Object.entries(entities as unknown as Entities<SourceOf<E>>)) {
    if (entity.kind !== null) byKind.set(entity.kind, name)
    makers[name] = ofEntity(cache, entity, read)
    for (const [listName, list] of Object.entries(entity.lists)) makers[listName] = ofList(cache, list, entity, read)
  }
  return lazily(makers, byKind) as (caller?: () => Caller) => never
}

function ofEntity<V, Source>(cache: CacheReader, entity: Entity<V, Source>, read: Read<Source>): Maker {
  const { namespace } = entity
  const batch = cachedBatch(cache, namespace, fetcherOf(entity, read))
  return ({ caller, counted }) => {
    const near = (id: string) => cache.readNear(namespace, id, counted)
    return new Loader<string, V | null>({ near, batch, caller })
  }
}

function ofList<Source>(cache: CacheReader, list: List<Source>, entity: Entity<unknown, Source>, read: Read<Source>): Maker {
  const { namespace } = list
  const fetch = fetcherOfList(list, entity, read)
  if (namespace === null) {
    const batch = uncachedBatch(fetch)
    return ({ caller }) => new ListLoader({ near: () => undefined, batch, caller })
  }
  const batch = cachedListBatch(cache, namespace, (key) => entryIdOf(list, key), fetch)
  return ({ caller, counted }) =>
    new ListLoader({ near: (key) => cache.readNear(namespace, entryIdOf(list, key), counted) ?? undefined, batch, caller })
}

interface Request {
  caller: () => Caller
  /** A key counts once for a request, however many of its fields ask for it. */
  counted: CountedEntries
}

type Maker = (request: Request) => { clearAll: () => void }

/** Every loader is made when it is first asked for: most requests need one or two. */
function lazily(makers: Readonly<Record<string, Maker>>, byKind: ReadonlyMap<string, string>) {
  class Lazy {
    private readonly made: Record<string, { clearAll: () => void }> = {}
    readonly counted = new CountedEntries()

    constructor(readonly caller: () => Caller) {}

    forget(): void {
      this.counted.clear()
      for (const loader of Object.values(this.made)) loader.clearAll()
    }

    ofKind(kind: string): unknown {
      const name = byKind.get(kind)
      return name === undefined ? undefined : this[name as keyof this]
    }

    find(name: string, make: Maker) {
      this.made[name] ??= make(this)
      return this.made[name]
    }
  }
  for (const [name, make] of Object.entries(makers)) {
    Object.defineProperty(Lazy.prototype, name, {
      get(this: Lazy) {
        return this.find(name, make)
      },
    })
  }
  return (caller: () => Caller = callerOf) => new Lazy(caller)
}
