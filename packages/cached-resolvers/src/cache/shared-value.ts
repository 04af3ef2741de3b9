const note = Symbol('note')

interface Shared {
  [note]: unknown
}

/** Marks a value that is kept, and given to many: nobody may change it. */
export function share(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) Object.defineProperty(value, note, { value: null, writable: true })
  return value
}

/**
 * For whoever makes something of a shared value: a note on it, for as long as the value is kept. On the value itself, since a WeakMap is
 * dear to look into, and dearer to the garbage collector.
 */
export const sharedNotes = {
  /** null where nothing is noted yet; undefined for a value that is not shared. */
  get(value: object): unknown {
    return (value as Partial<Shared>)[note]
  },
  /** For shared values only */
  set(value: object, its: unknown): void {
    const shared = value as Shared
    shared[note] = its
  },
}
