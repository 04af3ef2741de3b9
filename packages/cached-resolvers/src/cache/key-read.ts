import type { StoredEntry, StoredValue } from './entry.js'
import type { EntryId, Namespace } from './namespace.js'
import type { NearEntry } from './near-store.js'
import { parseEntry } from './parse-entry.js'

/**
 * The result of a lookup. `stale` is a hit after the end of the soft TTL. `negative`, and `stale` with null, are hits of a
 * negative entry: the value does not exist.
 */
export type Lookup<V> =
  | { state: 'hit'; value: V }
  | { state: 'negative' }
  | { state: 'stale'; value: V | null }
  | { state: 'miss' }

export type StoredLookup<V> = Lookup<V> & { corrupt?: true }

/** The source of a lookup: a fresh value from the near or the far store, a stale value, a negative entry, or a miss. */
export type LookupSource = 'near' | 'far' | 'stale' | 'negative' | 'miss'

export function lookupSourceOf({ state }: StoredLookup<unknown>, { stored }: KeyRead<EntryId>): LookupSource {
  if (state !== 'hit') return state
  return stored.state === 'near' ? 'near' : 'far'
}

/** The result of reading a key, with everything needed to interpret the stored value and to fill the entry. */
export interface KeyRead<Id extends EntryId> {
  readonly id: Id
  readonly key: string
  /**
   * The joined `generations`; null if one of them is missing or damaged. A fill needs all of them: an entry belongs to the generations
   * in which it was filled.
   */
  readonly generation: string | null
  /**
   * The generation of the namespace, followed by those of the names that an entry of a list depends on; empty for a read from the near
   * store
   */
  readonly generations: readonly Generation[]
  /** What the far store has under the key, or an entry of the near store for which no early refresh could be due when it was read */
  readonly stored: StoredValue | { state: 'unavailable' } | NearEntry
}

/** A read of a key that holds an entry in the far store */
export type EntryKeyRead = KeyRead<EntryId> & { readonly stored: StoredEntry }

/** The generations that an entry belongs to, as read together with the entry */
export type GenerationScope = Pick<KeyRead<EntryId>, 'generation' | 'generations'>

export interface Generation {
  readonly key: string
  readonly text: string | null
}

/**
 * Converts a stored value to the result of a lookup. An entry that is corrupt, or of a different generation or version, is a
 * miss.
 */
export function interpret<V>(
  namespace: Namespace<V>,
  { stored, generation, generations }: Pick<KeyRead<EntryId>, 'stored' | 'generation' | 'generations'>,
  now: number,
): StoredLookup<V> {
  if (stored.state === 'near') return interpretNear(stored)
  if (stored.state === 'corrupt') return { state: 'miss', corrupt: true }
  if (stored.state !== 'entry' || stored.header.version !== namespace.version) return { state: 'miss' }
  if (!isOfGeneration(stored, { generation, generations })) return { state: 'miss' }
  const stale = stored.header.softUntilMs <= now
  if (stored.json === '') return stale ? { state: 'stale', value: null } : { state: 'negative' }
  if (!parseEntry(stored)) return { state: 'miss', corrupt: true }
  const hit = stored.hit as StoredLookup<V> & { state: 'hit' }
  return stale ? { ...hit, state: 'stale' } : hit
}

function interpretNear<V>(entry: NearEntry): StoredLookup<V> {
  return entry.value === null ? { state: 'negative' } : { state: 'hit', value: entry.value as V }
}

/** Returns when the soft TTL of the entry that was read ends; NaN if the key holds no entry. */
export function softUntilMsOf({ stored }: KeyRead<EntryId>): number {
  if (stored.state === 'near') return stored.softUntilMs
  return stored.state === 'entry' ? stored.header.softUntilMs : Number.NaN
}

/** Whether a key of the far store holds an entry of this version that belongs to the generations that were read with it. */
export function isValid(keyRead: KeyRead<EntryId>, version: number): keyRead is EntryKeyRead {
  const { stored } = keyRead
  return stored.state === 'entry' && stored.header.version === version && isOfGeneration(stored, keyRead)
}

/** Joins the generations to one text. Returns null if one of them is missing or damaged; no entry is valid then. */
export function joinGenerations(generations: readonly Generation[]): string | null {
  let joined = ''
  for (const { text } of generations) {
    if (text === null || !generationText.test(text)) return null
    joined = joined === '' ? text : `${joined}.${text}`
  }
  return joined
}

/** Whether an entry belongs to the generations that were read together with it: whether it has not been invalidated. */
export function isOfGeneration({ header }: StoredEntry, { generation, generations }: GenerationScope): boolean {
  return header.generation === generation || beginsWith(generations, header.generation)
}

/**
 * Whether the first ones of the generations, joined, are equal to `joined`: an entry may depend on the first ones only (see
 * ListEntryId.relevantDependencyCount).
 */
function beginsWith(generations: readonly Generation[], joined: string): boolean {
  let length = 0
  for (const { text } of generations) {
    if (text === null || !joined.startsWith(text, length)) return false
    length += text.length
    if (length === joined.length) return true
    if (joined[length] !== '.') return false
    length += 1
  }
  return false
}

const generationText = /^[\w-]{1,40}$/
