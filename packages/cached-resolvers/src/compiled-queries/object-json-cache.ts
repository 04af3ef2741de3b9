import type { Writer } from './execution.js'
import { JsonBuffer } from './json-buffer.js'

/** Attaches data to objects that requests share. Shared objects are plain data and never change. */
export interface SharedValueMemo {
  /**
   * Returns null if nothing is attached yet, and undefined if the object is not shared. set() must not be called for an object
   * that is not shared.
   */
  get(value: object): unknown
  set(value: object, attachment: unknown): void
}

export interface ObjectJsonCacheOptions {
  memo: SharedValueMemo
  /**
   * Maximum total length of all keys and cached JSON, in characters. A cache that exceeds this length is invalidated as a whole.
   */
  maxLength: number
}

/** Identifies a type and the fields selected on it. Invalidating the key invalidates all JSON that was cached for it. */
interface FieldsKey {
  isInvalidated: boolean
}

/** The JSON of one object for one set of selected fields. The cached JSON of an object, for all sets, forms a linked list. */
interface CachedJson {
  key: FieldsKey
  json: string
  next: CachedJson | null
  /** Number of list elements after this one */
  nextCount: number
}

/** Caches the JSON of objects on the objects themselves, so that an object is serialized once for each set of selected fields. */
export class ObjectJsonCache {
  private readonly keysByText = new Map<string, FieldsKey>()
  private length = 0

  constructor(private readonly options: ObjectJsonCacheOptions) {}

  /**
   * Wraps `write` with the cache. `fieldsText` identifies the fields that `write` writes. The output of `write` must depend on
   * nothing but the object and these fields, because all documents that select the same fields of the same type share the cached
   * JSON.
   */
  cachingWriter(typeName: string, fieldsText: string, write: Writer): Writer {
    const keyText = `${typeName} ${fieldsText}`
    const { memo } = this.options
    let key = invalidatedKey
    return (value, buffer, execution) => {
      // The writer of the type Query is called with the root value, which is undefined.
      const first = typeof value === 'object' && value !== null ? (memo.get(value) as CachedJson | null | undefined) : undefined
      if (first === undefined) return write(value, buffer, execution)
      if (key.isInvalidated) key = this.keyOf(keyText)
      const json = findJson(first, key)
      if (json !== undefined) {
        buffer.text += json
        return
      }
      const objectBuffer = new JsonBuffer()
      write(value, objectBuffer, execution)
      buffer.append(objectBuffer)
      // JSON with placeholders is not cached, because the promises of the placeholders have not settled.
      if (objectBuffer.isComplete) this.store(value as object, key, flatten(objectBuffer.text))
    }
  }

  private keyOf(text: string): FieldsKey {
    const existing = this.keysByText.get(text)
    if (existing) return existing
    const key: FieldsKey = { isInvalidated: false }
    this.keysByText.set(text, key)
    this.addLength(text.length)
    return key
  }

  private store(value: object, key: FieldsKey, json: string): void {
    const first = this.options.memo.get(value) as CachedJson | null
    // All keys are invalidated at the same time, so the whole list is valid if the key of its first element is valid.
    const valid = first?.key.isInvalidated ? null : first
    const next = valid && valid.nextCount < maxNextCount ? valid : null
    if (!next) this.subtractLength(valid)
    this.options.memo.set(value, { key, json, next, nextCount: next ? next.nextCount + 1 : 0 } satisfies CachedJson)
    this.addLength(json.length)
  }

  /**
   * Subtracts the length of a list that is dropped because it is full. Otherwise, dropped lists would still count towards
   * `maxLength` and the cache would be cleared too early.
   */
  private subtractLength(first: CachedJson | null): void {
    for (let cached = first; cached; cached = cached.next) this.length -= overheadLength + cached.json.length
  }

  private addLength(length: number): void {
    this.length += overheadLength + length
    if (this.length <= this.options.maxLength) return
    for (const key of this.keysByText.values()) key.isInvalidated = true
    this.keysByText.clear()
    this.length = 0
  }
}

function findJson(first: CachedJson | null, key: FieldsKey): string | undefined {
  for (let cached = first; cached; cached = cached.next) if (cached.key === key) return cached.json
  return undefined
}

/**
 * Copies a concatenated string. V8 stores such a string as a tree of its parts, and would traverse the tree each time a response
 * with the cached JSON is sent.
 */
function flatten(text: string): string {
  return Buffer.from(text).toString()
}

const invalidatedKey: FieldsKey = { isInvalidated: true }

/** Memory of a list element or a key besides its string, in characters */
const overheadLength = 64
/** The list is short because it is searched sequentially. */
const maxNextCount = 15
