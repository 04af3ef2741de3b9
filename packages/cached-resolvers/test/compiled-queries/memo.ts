import type { SharedValueMemo } from '../../src/compiled-queries/object-json-cache.js'

/** Stands in for the memo that the cache attaches to shared values. */
export function createMemo(isShared: (value: object) => boolean): SharedValueMemo {
  const memos = new WeakMap<object, unknown>()
  return {
    get: (value) => (isShared(value) ? (memos.get(value) ?? null) : undefined),
    set: (value, memo) => void memos.set(value, memo),
  }
}
