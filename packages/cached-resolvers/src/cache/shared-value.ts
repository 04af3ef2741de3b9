const memo = Symbol('note')

interface SharedValue {
  [memo]: unknown
}

/** Marks a value that is kept and shared between requests. Shared values must not be changed. */
export function markShared(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) Object.defineProperty(value, memo, { value: null, writable: true })
  return value
}

/**
 * Memoizes something derived from a shared value, for as long as the value lives. It is stored on the value itself: lookups in a
 * WeakMap are slow, and the garbage collector pays even more for one.
 */
export const sharedValueMemo = {
  /** null if nothing is memoized yet; undefined for a value that is not shared. */
  get(value: object): unknown {
    return (value as Partial<SharedValue>)[memo]
  },
  /** For shared values only */
  set(value: object, derived: unknown): void {
    const shared = value as SharedValue
    shared[memo] = derived
  },
}
