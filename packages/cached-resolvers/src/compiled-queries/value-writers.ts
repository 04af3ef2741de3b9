import { GraphQLID, type GraphQLLeafType, GraphQLString } from 'graphql'
import type { Writer } from './execution.js'
import { NotCompilableError } from './not-compilable.js'

/** Characters that JSON.stringify may escape: quotes, backslashes, control characters and surrogates (only lone surrogates) */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression must match control characters
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

export function leafWriter(type: GraphQLLeafType): Writer {
  const isStringType = type === GraphQLString || type === GraphQLID
  return (value, buffer) => {
    const serialized = isStringType && typeof value === 'string' ? value : type.serialize(value)
    if (typeof serialized === 'string') buffer.text += quote(serialized)
    else if (typeof serialized === 'number' && Number.isFinite(serialized)) buffer.text += serialized
    else if (serialized === null || serialized === undefined)
      throw new NotCompilableError('A leaf was serialized to null or undefined')
    else buffer.text += stringify(serialized)
  }
}

/**
 * Returns the JSON of what a custom scalar serialized a value to. Throws for functions and symbols, which have no JSON, and for
 * promises, which only the standard execution awaits.
 */
function stringify(serialized: unknown): string {
  const json: string | undefined = isPromise(serialized) ? undefined : JSON.stringify(serialized)
  if (json === undefined) throw new NotCompilableError('A leaf was serialized to a value that has no JSON')
  return json
}

/**
 * Returns a writer that writes null for null and undefined, throws a value that is an Error, writes a promised value later, and
 * passes every other value to `write`.
 */
export function nullableWriter(write: Writer): Writer {
  const writeSettled: Writer = (value, buffer, execution) => {
    if (value === null || value === undefined) buffer.text += 'null'
    else if (value instanceof Error) throw value
    else write(value, buffer, execution)
  }
  return (value, buffer, execution) => {
    if (isPromise(value)) execution.writeLater(value, buffer, writeSettled)
    else writeSettled(value, buffer, execution)
  }
}

/** Like nullableWriter(), but the writer throws for null and undefined. */
export function nonNullWriter(write: Writer): Writer {
  const writeSettled: Writer = (value, buffer, execution) => {
    if (value === null || value === undefined) throw new NotCompilableError('A non-null type was resolved to null')
    if (value instanceof Error) throw value
    write(value, buffer, execution)
  }
  return (value, buffer, execution) => {
    if (isPromise(value)) execution.writeLater(value, buffer, writeSettled)
    else writeSettled(value, buffer, execution)
  }
}

export function listWriter(writeItem: Writer): Writer {
  return (value, buffer, execution) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : arrayOf(value)
    buffer.text += '['
    let index = 0
    try {
      for (; index < items.length; index += 1) {
        if (index > 0) buffer.text += ','
        writeItem(items[index], buffer, execution)
      }
    } catch (error) {
      // Nothing awaits the promises of the remaining items. If one of them rejected without a handler, that would be an unhandled
      // rejection.
      for (const item of items.slice(index)) if (isPromise(item)) item.then(undefined, () => undefined)
      throw error
    }
    buffer.text += ']'
  }
}

/** Converts an iterable that is not an array, for example a Set. */
function arrayOf(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value))
    throw new NotCompilableError('A list type was resolved to a value that is not iterable')
  return Array.from(value as Iterable<unknown>)
}

export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    value instanceof Promise ||
    (typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function')
  )
}
