import type { EntryHeader, StoredEntry, StoredValue } from './entry.js'
import type { EntryId, Namespace } from './namespace.js'
import { markShared } from './shared-value.js'

/** The result of a lookup. `stale`: a hit past its soft TTL. `negative`, or `stale` with null: "there is no such value". */
export type Lookup<V> =
  | { state: 'hit'; value: V }
  | { state: 'negative' }
  | { state: 'stale'; value: V | null }
  | { state: 'miss' }

export type StoredLookup<V> = Lookup<V> & { header?: EntryHeader; corrupt?: true }

/** The source of a lookup: a fresh value from the near or the far store, a stale value, a negative entry, or a miss. */
export type LookupSource = 'near' | 'far' | 'stale' | 'negative' | 'miss'

export function lookupSourceOf({ state }: StoredLookup<unknown>, isNear: boolean): LookupSource {
  if (state !== 'hit') return state
  return isNear ? 'near' : 'far'
}

/** The result of reading a key, with all that is needed to interpret and to fill it. */
export interface KeyRead<Id extends EntryId> {
  readonly id: Id
  readonly key: string
  /**
   * The generation that an entry must have been filled under to be valid; null if one is missing or damaged, so no entry is
   * valid.
   */
  readonly generation: string | null
  /** The generation of the namespace, then that of the list; empty if the key was read from the near store. */
  readonly generations: readonly Generation[]
  readonly stored: StoredValue | { state: 'unavailable' }
  /** Whether the key was read from the near store */
  readonly near: boolean
}

/** The generations that an entry belongs to, as they were read together with it */
export type GenerationScope = Pick<KeyRead<EntryId>, 'generation' | 'generations'>

export interface Generation {
  readonly key: string
  readonly text: string | null
}

/** Turns a key as read into a lookup. Entries that are corrupt or of another generation or version are misses. */
export function interpret<V>(
  namespace: Namespace<V>,
  { stored, generation }: Pick<KeyRead<EntryId>, 'stored' | 'generation'>,
  now: number,
): StoredLookup<V> {
  if (stored.state === 'corrupt') return { state: 'miss', corrupt: true }
  if (stored.state !== 'entry' || stored.header.version !== namespace.version) return { state: 'miss' }
  if (stored.header.generation !== generation) return { state: 'miss' }
  const stale = stored.header.softUntilMs <= now
  if (stored.json === '') return stale ? { state: 'stale', value: null, header: stored.header } : { state: 'negative' }
  try {
    stored.hit ??= { state: 'hit', value: parse(stored), header: stored.header }
    const hit = stored.hit as StoredLookup<V> & { state: 'hit' }
    return stale ? { ...hit, state: 'stale' } : hit
  } catch {
    return { state: 'miss', corrupt: true }
  }
}

function parse({ json, isShared }: StoredEntry): unknown {
  const value: unknown = JSON.parse(json)
  return isShared ? markShared(value) : value
}

/** Returns null if one of the generations is missing or damaged: no entry of that scope is valid then. */
export function joinGenerations(generations: readonly Generation[]): string | null {
  let joined = ''
  for (const { text } of generations) {
    if (text === null || !generationText.test(text)) return null
    joined = joined === '' ? text : `${joined}.${text}`
  }
  return joined
}

const generationText = /^[\w-]{1,40}$/
