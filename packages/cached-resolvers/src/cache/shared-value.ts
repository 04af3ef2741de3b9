const memo = Symbol('memo')

interface SharedValue {
  [memo]: unknown
}

/** Marks a value as shared between requests, and returns it. Shared values must not be changed. */
export function markShared(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) Object.defineProperty(value, memo, { value: null, writable: true })
  return value
}

/**
 * Memoizes data that is derived from a shared value, for as long as that value lives. The memo is a property of the value,
 * because a WeakMap would slow down each lookup, and garbage collection even more.
 */
export const sharedValueMemo = {
  /** Returns null if nothing is memoized yet, and undefined for a value that is not shared. */
  get(value: object): unknown {
    return (value as Partial<SharedValue>)[memo]
  },
  /** Must be called for shared values only. */
  set(value: object, derived: unknown): void {
    const shared = value as SharedValue
    shared[memo] = derived
  },
}
