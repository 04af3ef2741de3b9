import { decodeStored } from './entry.js'
import { earlyRefreshFrom } from './freshness.js'
import type { GuardedStore } from './guarded-store.js'
import type { Keys } from './key.js'
import { type Generation, type GenerationScope, isValid, joinGenerations, type KeyRead } from './key-read.js'
import { type EntryId, type ListEntryId, type Namespace, namesInvalidating } from './namespace.js'
import type { NearEntry, NearStore } from './near-store.js'
import { RecentKeyReads } from './recent-key-reads.js'

export interface KeyReaderOptions {
  guardedStore: GuardedStore
  keys: Keys
  /** null if there is no near store */
  near: NearStore | null
  now: () => number
  /** 0 to 1 */
  random: () => number
}

/**
 * Reads keys by id: from the near store if it has an entry for which no early refresh can be due yet, otherwise from the far store,
 * which is the CacheStore behind `guardedStore`. All far reads of one call share one round trip.
 */
export class KeyReader {
  /** null if there is a near store, because that keeps decoded entries, too */
  private readonly recent: RecentKeyReads | null
  /**
   * The last read scope of each namespace, by key of its generation. While the generation does not change, the same object is
   * reused, so that scopes can be compared by identity.
   */
  private readonly namespaceScopes = new Map<string, GenerationScope>()

  constructor(private readonly options: KeyReaderOptions) {
    this.recent = options.near ? null : new RecentKeyReads({ maxBytes: maxRecentBytes, random: options.random })
  }

  read<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<KeyRead<Id>[]> {
    return this.options.near ? this.readNearAndFar(namespace, ids) : this.readFar(namespace, ids)
  }

  private async readNearAndFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<KeyRead<Id>[]> {
    const now = this.options.now()
    const near = ids.map((id) => this.readNear(namespace, id, now))
    const missing = ids.filter((_, index) => near[index] === undefined)
    if (missing.length === 0) return near as KeyRead<Id>[]
    const far = await this.readFar(namespace, missing)
    let next = 0
    return near.map((keyRead) => keyRead ?? (far[next++] as KeyRead<Id>))
  }

  /**
   * Finds an entry in the near store, fresh or not. Returns it only if the near store also has the generations in which the entry
   * was filled.
   */
  findNear(namespace: Namespace<unknown>, id: EntryId): NearEntry | undefined {
    const { near, guardedStore } = this.options
    if (!near?.usable || !guardedStore.isCaughtUp) return undefined
    return typeof id === 'string' ? near.find(namespace.name, id) : this.findNearListEntry(near, namespace, id)
  }

  private findNearListEntry(near: NearStore, namespace: Namespace<unknown>, id: ListEntryId): NearEntry | undefined {
    const { keys } = this.options
    const entry = near.findListEntry(keys.entry(namespace, id))
    if (!entry) return undefined
    let generation = `${near.findGeneration(keys.namespaceGeneration(namespace))}`
    for (const name of namesInvalidating(id)) {
      // The entry may depend on only the first few of these names (see ListEntryId.relevantDependencyCount). Its generation then ends here.
      if (generation.length >= entry.generation.length) break
      generation += `.${near.findGeneration(keys.listGeneration(namespace, name))}`
    }
    return entry.generation === generation ? entry : undefined
  }

  private readNear<Id extends EntryId>(namespace: Namespace<unknown>, id: Id, now: number): KeyRead<Id> | undefined {
    const entry = this.findNear(namespace, id)
    if (!entry?.isBeforeEarlyRefresh(now)) return undefined
    const key = this.options.keys.entry(namespace, id)
    return { id, key, generation: entry.generation, generations: [], stored: entry }
  }

  /** Reads an entry from the far store, and keeps nothing of it. */
  async readForInspection(namespace: Namespace<unknown>, id: EntryId): Promise<KeyRead<EntryId>> {
    const { keys, guardedStore } = this.options
    const key = keys.entry(namespace, id)
    const names = typeof id === 'string' ? none : namesInvalidating(id)
    const generationKeys = [keys.namespaceGeneration(namespace), ...names.map((name) => keys.listGeneration(namespace, name))]
    const texts = await guardedStore.run(namespace, (store) => store.readMany([...generationKeys, key]))
    const scope = scopeOf(generationKeys.map((key, index) => ({ key, text: texts?.[index] ?? null })))
    const stored = texts ? decodeStored(texts.at(-1) ?? null, scope.generation) : unavailableValue
    return { id, key, ...scope, stored }
  }

  private async readFar<Id extends EntryId>(namespace: Namespace<unknown>, ids: readonly Id[]): Promise<KeyRead<Id>[]> {
    const { keys, guardedStore } = this.options
    const names = dependencyNamesOf(ids)
    const idsOrKeys = ids.map((id) => (typeof id === 'string' ? id : keys.entry(namespace, id)))
    const recents = this.recent?.findMany(namespace.name, idsOrKeys) ?? none
    const keysToRead = [keys.namespaceGeneration(namespace)]
    for (const name of names) keysToRead.push(keys.listGeneration(namespace, name))
    const firstEntry = keysToRead.length
    ids.forEach((id, index) => {
      keysToRead.push(recents[index]?.key ?? (typeof id === 'string' ? keys.entry(namespace, id) : (idsOrKeys[index] as string)))
    })
    const removalCounts = this.removalCounts(keysToRead)
    const texts = await guardedStore.run(namespace, (store) => store.readMany(keysToRead))

    const textAt = (index: number) => texts?.[index] ?? null
    const ofNamespace = this.namespaceScope(keysToRead[0] as string, textAt(0))
    const listGenerations = names.map(
      (_, index): Generation => ({ key: keysToRead[1 + index] as string, text: textAt(1 + index) }),
    )
    const listScope = (id: ListEntryId) =>
      scopeOf([
        ...ofNamespace.generations,
        ...namesInvalidating(id).map((name) => listGenerations[names.indexOf(name)] as Generation),
      ])
    const keyReads = ids.map((id, index): KeyRead<Id> => {
      const scope = typeof id === 'string' ? ofNamespace : listScope(id)
      const text = textAt(firstEntry + index)
      let recent = recents[index]
      if (typeof id === 'string' && recent?.matches(text, scope)) return recent as KeyRead<EntryId> as KeyRead<Id>
      // While this read waited for the store, another read of the same key may have decoded the entry and kept it.
      recent = this.recent?.find(namespace.name, idsOrKeys[index] as string)
      if (typeof id === 'string' && recent?.matches(text, scope)) return recent as KeyRead<EntryId> as KeyRead<Id>
      const stored = recent?.storedFor(text) ?? (texts ? decodeStored(text, scope.generation) : unavailableValue)
      const keyRead = { id, key: keysToRead[firstEntry + index] as string, ...scope, stored }
      this.recent?.keep(namespace, keyRead, text)
      return keyRead
    })
    if (texts) this.keepNear(namespace, [...ofNamespace.generations, ...listGenerations], keyReads, removalCounts)
    return keyReads
  }

  private namespaceScope(key: string, text: string | null): GenerationScope {
    const known = this.namespaceScopes.get(key)
    if (known?.generations[0]?.text === text) return known
    const scope = scopeOf([{ key, text }])
    this.namespaceScopes.set(key, scope)
    return scope
  }

  /** Must be called before the keys are read; see NearStore.removalCount. */
  private removalCounts(keys: readonly string[]): readonly number[] {
    const { near } = this.options
    return near ? keys.map((key) => near.removalCount(key)) : none
  }

  /**
   * Puts into the near store the generations that were read from the far store, and the entries that can be served from there:
   * those for which no early refresh can be due yet. `generations` begins with that of the
   * namespace; those of the lists follow. `removalCounts` contains the counts of the generations in this order, then those of the entries
   * in the order of `keyReads`.
   */
  private keepNear(
    { name, version }: Namespace<unknown>,
    generations: readonly Generation[],
    keyReads: readonly KeyRead<EntryId>[],
    removalCounts: readonly number[],
  ): void {
    const { near } = this.options
    if (!near) return
    for (const [index, { key, text }] of generations.entries()) {
      if (text !== null) near.putGeneration(key, text, removalCounts[index] as number, index === 0 ? name : undefined)
    }
    const now = this.options.now()
    for (const [index, keyRead] of keyReads.entries()) {
      if (!isValid(keyRead, version)) continue
      const { stored } = keyRead
      if (now >= earlyRefreshFrom(stored.header, stored.json === '')) continue
      near.putEntry(name, keyRead, stored, removalCounts[generations.length + index] as number)
    }
  }
}

function scopeOf(generations: readonly Generation[]): GenerationScope {
  return { generations, generation: joinGenerations(generations) }
}

/** Returns the names that the entries of lists depend on, each of them once. */
function dependencyNamesOf(ids: readonly EntryId[]): readonly string[] {
  let names: Set<string> | undefined
  for (const id of ids) {
    if (typeof id === 'string') continue
    names ??= new Set()
    for (const name of namesInvalidating(id)) names.add(name)
  }
  return names ? [...names] : none
}

const none: readonly never[] = []
const unavailableValue = { state: 'unavailable' } as const
const maxRecentBytes = 64 * 1024 * 1024
