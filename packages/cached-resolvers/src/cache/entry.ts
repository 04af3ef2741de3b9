/**
 * The header of an entry. Stored values are text, so that `redis-cli get` shows them:
 * - an entry: `1|<token>|<generation>|<end of the soft TTL, ms>|<duration of the fetch, ms>|<version of the namespace>|<JSON>`;
 *   the JSON is empty for a negative entry
 * - a lease, while a process fetches the value: `L|<token>|`
 */
export interface EntryHeader {
  generation: string
  softUntilMs: number
  fetchMs: number
  version: number
}

export type StoredValue =
  | { state: 'empty' }
  | { state: 'leased'; lease: string }
  | StoredEntry
  /** Damaged, or not in the format of this file */
  | { state: 'corrupt' }

export interface StoredEntry {
  state: 'entry'
  header: EntryHeader
  /** Empty for a negative entry */
  json: string
  /**
   * The text of the entry up to and including the bar after the token. No other entry begins with this text, because tokens are
   * unique.
   */
  uniquePrefix: string
  /** The result of a lookup while the entry is fresh; undefined until a lookup has parsed the JSON */
  hit: { state: 'hit'; value: unknown } | undefined
  /** Whether this process keeps the parsed value and shares it between requests */
  isShared: boolean
}

const entryMark = '1|'
export const leaseMark = 'L|'

export function encodeEntry(token: string, header: EntryHeader, value: unknown): string {
  const { generation, softUntilMs, fetchMs, version } = header
  const json = value === null ? '' : JSON.stringify(value)
  return `${entryMark}${token}|${generation}|${softUntilMs}|${fetchMs}|${version}|${json}`
}

/** Returns a text that ends with a bar. Leases are compared by prefix, so no lease may be the prefix of a different lease. */
export function encodeLease(token: string): string {
  return `${leaseMark}${token}|`
}

/**
 * Decodes the text of a key. If the entry is of the expected generation, its header refers to the string `expectedGeneration`
 * instead of a copy, which makes later comparisons cheap.
 */
export function decodeStored(text: string | null, expectedGeneration: string | null = null): StoredValue {
  if (text === null) return { state: 'empty' }
  if (text.startsWith(leaseMark)) return { state: 'leased', lease: text }
  // split() would allocate an array, and this is the hot path of every read.
  const tokenEnd = text.indexOf('|', entryMark.length)
  const generationEnd = text.indexOf('|', tokenEnd + 1)
  const softEnd = text.indexOf('|', generationEnd + 1)
  const fetchEnd = text.indexOf('|', softEnd + 1)
  const versionEnd = text.indexOf('|', fetchEnd + 1)
  const isWhole =
    tokenEnd > 0 && generationEnd > tokenEnd && softEnd > generationEnd && fetchEnd > softEnd && versionEnd > fetchEnd
  if (!text.startsWith(entryMark) || !isWhole) return { state: 'corrupt' }
  const isExpected =
    expectedGeneration?.length === generationEnd - tokenEnd - 1 && text.startsWith(expectedGeneration, tokenEnd + 1)
  const header = {
    generation: isExpected ? expectedGeneration : text.slice(tokenEnd + 1, generationEnd),
    softUntilMs: wholeNumber(text, generationEnd + 1, softEnd),
    fetchMs: wholeNumber(text, softEnd + 1, fetchEnd),
    version: wholeNumber(text, fetchEnd + 1, versionEnd),
  }
  if (Number.isNaN(header.softUntilMs + header.fetchMs + header.version)) return { state: 'corrupt' }
  const json = text.slice(versionEnd + 1)
  const uniquePrefix = text.slice(0, tokenEnd + 1)
  return { state: 'entry', header, json, uniquePrefix, hit: undefined, isShared: false }
}

/** Parses the digits between `from` and `to`. Returns NaN if the range is empty or contains another character. */
function wholeNumber(text: string, from: number, to: number): number {
  let number = from === to ? Number.NaN : 0
  for (let index = from; index < to; index += 1) {
    const digit = text.charCodeAt(index) - 48
    number = digit >= 0 && digit <= 9 ? 10 * number + digit : Number.NaN
  }
  return number
}
