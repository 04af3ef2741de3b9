import type { Writer } from './execution.js'
import { JsonBuffer } from './json-buffer.js'

/** Data attached to objects that requests share. Those objects are plain data and never change. */
export interface SharedValueMemo {
  /** null if nothing was set yet; undefined if the object is not shared, so that nothing can be attached to it. */
  get(value: object): unknown
  set(value: object, attachment: unknown): void
}

export interface FragmentCacheOptions {
  memo: SharedValueMemo
  /** Total characters of all fragments. When it is exceeded, the whole cache is invalidated. */
  maxLength: number
}

/** Identifies a type and the fields selected on it. Invalidating the key invalidates all fragments that were written for it. */
interface SelectionKey {
  isInvalidated: boolean
}

/** The JSON of one object for one selection. An object's fragments form a linked list. */
interface JsonFragment {
  key: SelectionKey
  json: string
  next: JsonFragment | null
  /** Number of fragments after this one */
  nextCount: number
}

/** Caches the JSON of shared objects, on the objects themselves, so that an object is serialized once for each selection. */
export class FragmentCache {
  private readonly keysByName = new Map<string, SelectionKey>()
  private length = 0

  constructor(private readonly options: FragmentCacheOptions) {}

  /**
   * Wraps `write` with the cache. What it writes must depend on nothing but the object and the selected fields: all documents
   * that select the same fields of the same type share the fragments.
   */
  cachingWriter(typeName: string, fields: string, write: Writer): Writer {
    const name = `${typeName} ${fields}`
    const { memo } = this.options
    let key = invalidatedKey
    return (value, buffer, execution) => {
      // The root value of a query is undefined.
      const first = typeof value === 'object' && value !== null ? (memo.get(value) as JsonFragment | null | undefined) : undefined
      if (first === undefined) return write(value, buffer, execution)
      if (key.isInvalidated) key = this.keyOf(name)
      const json = findJson(first, key)
      if (json !== undefined) {
        buffer.text += json
        return
      }
      const fragment = new JsonBuffer()
      write(value, fragment, execution)
      buffer.append(fragment)
      // A fragment with placeholders is not cached: its promises have not settled.
      if (fragment.isComplete) this.store(value as object, key, flatten(fragment.text))
    }
  }

  private keyOf(name: string): SelectionKey {
    const existing = this.keysByName.get(name)
    if (existing) return existing
    const key: SelectionKey = { isInvalidated: false }
    this.keysByName.set(name, key)
    this.addLength(name.length)
    return key
  }

  private store(value: object, key: SelectionKey, json: string): void {
    const first = this.options.memo.get(value) as JsonFragment | null
    // All keys are invalidated at the same time, so the first fragment's key stands for the whole list.
    const valid = first?.key.isInvalidated ? null : first
    const next = valid && valid.nextCount < maxNextCount ? valid : null
    if (!next) this.subtractLength(valid)
    this.options.memo.set(value, { key, json, next, nextCount: next ? next.nextCount + 1 : 0 } satisfies JsonFragment)
    this.addLength(json.length)
  }

  /** A full list is dropped: without this, replacing lists again and again would invalidate the whole cache. */
  private subtractLength(first: JsonFragment | null): void {
    for (let fragment = first; fragment; fragment = fragment.next) this.length -= overheadLength + fragment.json.length
  }

  private addLength(length: number): void {
    this.length += overheadLength + length
    if (this.length <= this.options.maxLength) return
    for (const key of this.keysByName.values()) key.isInvalidated = true
    this.keysByName.clear()
    this.length = 0
  }
}

function findJson(first: JsonFragment | null, key: SelectionKey): string | undefined {
  for (let fragment = first; fragment; fragment = fragment.next) if (fragment.key === key) return fragment.json
  return undefined
}

/**
 * V8 stores a concatenated string as a tree of its parts, which would be traversed each time a response with this fragment is
 * sent.
 */
function flatten(text: string): string {
  return Buffer.from(text).toString()
}

const invalidatedKey: SelectionKey = { isInvalidated: true }

/** Memory of a fragment or key besides its string, in characters */
const overheadLength = 64
/** Small, because the list is searched sequentially */
const maxNextCount = 15
