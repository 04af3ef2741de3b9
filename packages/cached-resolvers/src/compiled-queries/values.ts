import { GraphQLID, type GraphQLLeafType, GraphQLString } from 'graphql'
import type { Write } from './answer.js'
import { NotCompilableError } from './not-compilable.js'

/** Whatever JSON.stringify would not write as it is: quotes, backslashes, control characters, halves of pairs */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

export function writeLeaf(type: GraphQLLeafType): Write {
  const isText = type === GraphQLString || type === GraphQLID
  return (value, text) => {
    const serialized = isText && typeof value === 'string' ? value : type.serialize(value)
    if (typeof serialized === 'string') text.text += quote(serialized)
    else if (typeof serialized === 'number' && Number.isFinite(serialized)) text.text += serialized
    else if (serialized === null || serialized === undefined) throw new NotCompilableError('A leaf without a value')
    else text.text += stringify(serialized)
  }
}

/** What a scalar of one's own may give: JSON has no place for functions and symbols, and a promise is for others to wait for. */
function stringify(serialized: unknown): string {
  const text: string | undefined = isPromise(serialized) ? undefined : JSON.stringify(serialized)
  if (text === undefined) throw new NotCompilableError('A leaf that is not written as JSON')
  return text
}

/** For a value that may be absent, a fault, or a promise. */
export function writeNullable(write: Write): Write {
  const settled: Write = (value, text, run) => {
    if (value === null || value === undefined) text.text += 'null'
    else if (value instanceof Error) throw value
    else write(value, text, run)
  }
  return (value, text, run) => {
    if (isPromise(value)) run.writeLater(value, text, settled)
    else settled(value, text, run)
  }
}

/** The same where null is a fault. */
export function writeNonNull(write: Write): Write {
  const settled: Write = (value, text, run) => {
    if (value === null || value === undefined) throw new NotCompilableError('null where nothing may be null')
    if (value instanceof Error) throw value
    write(value, text, run)
  }
  return (value, text, run) => {
    if (isPromise(value)) run.writeLater(value, text, settled)
    else settled(value, text, run)
  }
}

export function writeList(writeItem: Write): Write {
  return (value, text, run) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : arrayOf(value)
    text.text += '['
    let index = 0
    try {
      for (; index < items.length; index += 1) {
        if (index > 0) text.text += ','
        writeItem(items[index], text, run)
      }
    } catch (error) {
      // Those that nobody will wait for now must not be taken for forgotten when they fail.
      for (const item of items.slice(index)) if (isPromise(item)) item.then(undefined, () => undefined)
      throw error
    }
    text.text += ']'
  }
}

/** Of a set, say */
function arrayOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value))
    throw new NotCompilableError('A list that is none')
  return Array.from(value as Iterable<unknown>)
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function')
  )
}
