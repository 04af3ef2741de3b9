import type { EntryHeader, EntryHeld, Held } from './entry.js'
import type { EntryId, Namespace } from './namespace.js'
import { share } from './shared-value.js'

/** What a lookup ends in. Stale: a hit past its soft TTL; negative, or a stale null: "there is no such value". */
export type Lookup<V> =
  | { state: 'hit'; value: V }
  | { state: 'negative' }
  | { state: 'stale'; value: V | null }
  | { state: 'miss' }

export type StoredLookup<V> = Lookup<V> & { header?: EntryHeader; corrupt?: true }

/** Where the answer to a lookup came from: this process or the store; past its soft TTL; known not to exist; or nowhere. */
export type Origin = 'near' | 'far' | 'stale' | 'negative' | 'miss'

export function originOf({ state }: StoredLookup<unknown>, isNear: boolean): Origin {
  if (state !== 'hit') return state
  return isNear ? 'near' : 'far'
}

/** A key as it was found, with what is needed to fill it. */
export interface Slot<Id extends EntryId> {
  readonly id: Id
  readonly key: string
  /** What an entry must have been filled under to be read; null while nothing can be. */
  readonly generation: string | null
  /** That of the namespace, then that of the list; none where it was found in this process. */
  readonly generations: readonly Generation[]
  readonly held: Held | { state: 'unavailable' }
  /** Whether it was found in this process */
  readonly near: boolean
}

/** What governs an entry, as it was read with it */
export type Under = Pick<Slot<EntryId>, 'generation' | 'generations'>

export interface Generation {
  readonly key: string
  readonly text: string | null
}

/** Reads the entry in a slot; whatever cannot be trusted is a miss. */
export function interpret<V>(
  namespace: Namespace<V>,
  { held, generation }: Pick<Slot<EntryId>, 'held' | 'generation'>,
  now: number,
): StoredLookup<V> {
  if (held.state === 'corrupt') return { state: 'miss', corrupt: true }
  if (held.state !== 'entry' || held.header.version !== namespace.version) return { state: 'miss' }
  if (held.header.generation !== generation) return { state: 'miss' }
  const stale = held.header.softUntilMs <= now
  if (held.json === '') return stale ? { state: 'stale', value: null, header: held.header } : { state: 'negative' }
  try {
    held.hit ??= { state: 'hit', value: parse(held), header: held.header }
    const hit = held.hit as StoredLookup<V> & { state: 'hit' }
    return stale ? { ...hit, state: 'stale' } : hit
  } catch {
    return { state: 'miss', corrupt: true }
  }
}

function parse({ json, isKept }: EntryHeld): unknown {
  const value: unknown = JSON.parse(json)
  return isKept ? share(value) : value
}

/** null while one of them is missing or damaged: nothing under it can be read then. */
export function joinGenerations(generations: readonly Generation[]): string | null {
  let joined = ''
  for (const { text } of generations) {
    if (text === null || !generationText.test(text)) return null
    joined = joined === '' ? text : `${joined}.${text}`
  }
  return joined
}

const generationText = /^[\w-]{1,40}$/
