import type { StoredEntry } from './entry.js'
import { markShared } from './shared-value.js'

/** Sets `stored.hit` unless it is set. Returns false if the JSON is damaged. */
export function parseEntry(stored: StoredEntry): boolean {
  try {
    stored.hit ??= { state: 'hit', value: parsedValue(stored) }
    return true
  } catch {
    return false
  }
}

/**
 * Parses an entry whose value this process is about to keep and to share between requests. Returns null for a negative entry, and
 * undefined if the JSON is damaged.
 */
export function parseShared(stored: StoredEntry): unknown {
  if (stored.json === '') return null
  stored.isShared = true
  return parseEntry(stored) ? stored.hit?.value : undefined
}

function parsedValue({ json, isShared }: StoredEntry): unknown {
  const value: unknown = JSON.parse(json)
  return isShared ? markShared(value) : value
}
