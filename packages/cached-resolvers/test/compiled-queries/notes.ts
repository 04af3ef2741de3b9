import type { Notes } from '../../src/compiled-queries/pieces.js'

/** Notes on objects, by themselves: what the cache does for the values that it keeps. */
export function createNotes(isShared: (value: object) => boolean): Notes {
  const notes = new WeakMap<object, unknown>()
  return {
    get: (value) => (isShared(value) ? (notes.get(value) ?? null) : undefined),
    set: (value, note) => void notes.set(value, note),
  }
}
