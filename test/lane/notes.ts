/** Notes on objects, by themselves: what the cache does for the values that it keeps. */
export function createNotes(isShared: (value: object) => boolean): (value: object) => unknown[] | undefined {
  const notes = new WeakMap<object, unknown[]>()
  return (value) => {
    if (!isShared(value)) return undefined
    const its = notes.get(value) ?? []
    notes.set(value, its)
    return its
  }
}
