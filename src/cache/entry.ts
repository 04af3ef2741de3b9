/**
 * What a key holds, as text, so that `redis-cli get` shows it:
 *   1|<token>|<generation>|<soft TTL ends, ms>|<fetch took, ms>|<version of the namespace>|<JSON, or nothing for a negative entry>
 *   L|<token>|                 a lease: somebody is fetching this value
 */
export interface EntryHeader {
  token: string
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
  /** Once it was parsed */
  parsed?: { value: unknown }
}

const entryMark = '1|'
export const leaseMark = 'L|'

export function encodeEntry({ token, generation, softUntilMs, fetchMs, version }: EntryHeader, value: unknown): string {
  const json = value === null ? '' : JSON.stringify(value)
  return `${entryMark}${token}|${generation}|${softUntilMs}|${fetchMs}|${version}|${json}`
}

/** Ends in a bar like the beginning of an entry: compared by its beginning, it must not be that of another lease. */
export function encodeLease(token: string): string {
  return `${leaseMark}${token}|`
}

export function decodeHeld(text: string | null): Held {
  if (text === null) return { state: 'empty' }
  if (text.startsWith(leaseMark)) return { state: 'leased', lease: text }
  const ends = fieldEnds(text)
  if (!text.startsWith(entryMark) || ends === undefined) return { state: 'corrupt' }
  const [tokenEnd, generationEnd, softEnd, fetchEnd, versionEnd] = ends
  const header = {
    token: text.slice(entryMark.length, tokenEnd),
    generation: text.slice(tokenEnd + 1, generationEnd),
    softUntilMs: Number(text.slice(generationEnd + 1, softEnd)),
    fetchMs: Number(text.slice(softEnd + 1, fetchEnd)),
    version: Number(text.slice(fetchEnd + 1, versionEnd)),
  }
  if (!Number.isFinite(header.softUntilMs) || !Number.isFinite(header.fetchMs)) return { state: 'corrupt' }
  return { state: 'entry', header, json: text.slice(versionEnd + 1), seen: text.slice(0, tokenEnd + 1) }
}

function fieldEnds(text: string): [number, number, number, number, number] | undefined {
  const ends: number[] = []
  for (let from = entryMark.length; ends.length < 5; from = (ends.at(-1) as number) + 1) {
    const end = text.indexOf('|', from)
    if (end === -1) return undefined
    ends.push(end)
  }
  return ends as [number, number, number, number, number]
}
