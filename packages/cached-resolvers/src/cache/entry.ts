/**
 * What a key holds, as text, so that `redis-cli get` shows it:
 *   1|<token>|<generation>|<soft TTL ends, ms>|<fetch took, ms>|<version of the namespace>|<JSON, or nothing for a negative entry>
 *   L|<token>|                 a lease: somebody is fetching this value
 */
export interface EntryHeader {
  generation: string
  softUntilMs: number
  fetchMs: number
  version: number
}

export type Held =
  | { state: 'empty' }
  | { state: 'leased'; lease: string }
  | EntryHeld
  /** Written by other code, or damaged. */
  | { state: 'corrupt' }

export interface EntryHeld {
  state: 'entry'
  header: EntryHeader
  /** Empty for a negative entry */
  json: string
  /** The beginning of the text, which no other entry shares */
  seen: string
  /** Once it was parsed: what a lookup finds, for as long as it is fresh */
  hit: { state: 'hit'; value: unknown; header: EntryHeader } | undefined
  /** Whether it is kept in this process */
  isKept: boolean
}

const entryMark = '1|'
export const leaseMark = 'L|'

export function encodeEntry(token: string, header: EntryHeader, value: unknown): string {
  const { generation, softUntilMs, fetchMs, version } = header
  const json = value === null ? '' : JSON.stringify(value)
  return `${entryMark}${token}|${generation}|${softUntilMs}|${fetchMs}|${version}|${json}`
}

/** Ends in a bar like the beginning of an entry: compared by its beginning, it must not be that of another lease. */
export function encodeLease(token: string): string {
  return `${leaseMark}${token}|`
}

/** An entry of the expected generation holds that very string: so comparing them is a look. */
export function decodeHeld(text: string | null, expectedGeneration: string | null = null): Held {
  if (text === null) return { state: 'empty' }
  if (text.startsWith(leaseMark)) return { state: 'leased', lease: text }
  // Step by step and without a list of fields: every entry that is read comes by here.
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
  const seen = text.slice(0, tokenEnd + 1)
  return { state: 'entry', header, json, seen, hit: undefined, isKept: false }
}

/** Of the digits from `from` to `to`; NaN where something else stands there, or nothing. */
function wholeNumber(text: string, from: number, to: number): number {
  let number = from === to ? Number.NaN : 0
  for (let index = from; index < to; index += 1) {
    const digit = text.charCodeAt(index) - 48
    number = digit >= 0 && digit <= 9 ? 10 * number + digit : Number.NaN
  }
  return number
}
