const notes = Symbol('notes')

/** Marks a value that is kept, and given to many: nobody may change it. */
export function share(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) Object.defineProperty(value, notes, { value: [] })
  return value
}

/**
 * Where whoever makes something of a shared value may note it, for as long as the value is kept; undefined for a value that is not shared.
 * On the value itself, since a WeakMap is dear to look into, and dearer to the garbage collector.
 */
export function notesOf(value: object): unknown[] | undefined {
  return (value as { [notes]?: unknown[] })[notes]
}
