import type { EntryHeader, StoredEntry, StoredValue } from './entry.js'
import type { EntryId, Namespace } from './namespace.js'
import { markShared } from './shared-value.js'

/**
 * The result of a lookup. `stale` is a hit after the end of the soft TTL. `negative`, and `stale` with null, are hits of a
 * negative entry: the value does not exist.
 */
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
  readonly stored: StoredValue | { state: 'unavailable' }
  /** Whether the key was read from the near store */
  readonly near: boolean
}

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
  if (stored.state === 'corrupt') return { state: 'miss', corrupt: true }
  if (stored.state !== 'entry' || stored.header.version !== namespace.version) return { state: 'miss' }
  if (!isOfGeneration(stored, { generation, generations })) return { state: 'miss' }
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
 * ListEntryId.countDependencies).
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
