import { isOfGeneration, type KeyRead } from './key-read.js'
import type { EntryId, Namespace } from './namespace.js'

/** What the stores hold under an id, as shown to administrators */
export interface Inspection {
  /** The key of the far store */
  key: string
  /** null if the near store of this process would not serve an entry */
  near: InspectedEntry | null
  far: InspectedEntry
}

/**
 * - fresh: served; stale: past its soft TTL, served while it is refilled
 * - leased: a process fetches the value
 * - invalidated, other version, damaged: not served, and replaced by the next fill
 * - unavailable: the far store did not answer, or is not trusted
 */
export interface InspectedEntry {
  state: 'fresh' | 'stale' | 'leased' | 'invalidated' | 'other version' | 'damaged' | 'absent' | 'unavailable'
  /** The value and times of an entry that is served, or was before it was invalidated */
  content?: {
    /** null for a negative entry, which means that the value does not exist */
    value: unknown
    /** The age is not stored. It follows from the TTL, which has a jitter. */
    minAgeMs: number
    maxAgeMs: number
    /** Until the end of the soft TTL; below 0 if that has passed */
    freshForMs: number
    /** Until the store drops the entry */
    keptForMs: number
  }
}

/** Describes what a store holds. An entry that does not belong to the generations was invalidated. */
export function describeStored(
  namespace: Namespace<unknown>,
  { stored, ...scope }: Pick<KeyRead<EntryId>, 'stored' | 'generation' | 'generations'>,
  now: number,
): InspectedEntry {
  if (stored.state === 'empty') return { state: 'absent' }
  if (stored.state === 'corrupt') return { state: 'damaged' }
  if (stored.state === 'near') return describeValue(namespace, stored.value, stored.softUntilMs - now)
  if (stored.state !== 'entry') return { state: stored.state }
  const { version, softUntilMs } = stored.header
  if (version !== namespace.version) return { state: 'other version' }
  const value = parse(stored.json)
  if (value === undefined) return { state: 'damaged' }
  const served = describeValue(namespace, value, softUntilMs - now)
  return isOfGeneration(stored, scope) ? served : { ...served, state: 'invalidated' }
}

function describeValue(namespace: Namespace<unknown>, value: unknown, freshForMs: number): InspectedEntry {
  const ttlMs = value === null ? namespace.negativeTtlMs : namespace.softTtlMs
  const content = {
    value,
    minAgeMs: Math.max(0, 0.9 * ttlMs - freshForMs),
    maxAgeMs: Math.max(0, 1.1 * ttlMs - freshForMs),
    freshForMs,
    keptForMs: freshForMs + (value === null ? 0 : namespace.graceMs),
  }
  return { state: freshForMs > 0 ? 'fresh' : 'stale', content }
}

function parse(json: string): unknown {
  if (json === '') return null
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
