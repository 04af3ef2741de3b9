import { leaseMark } from '../../packages/cached-resolvers/src/cache/entry.js'
import { lostMembers } from '../../packages/cached-resolvers/src/redis/redis-scripts.js'
import { ReplyError } from './redis-errors.js'

/** What a script does with the server */
interface ScriptTarget {
  readonly now: number
  get(key: string): string | Map<string, number> | null
  set(key: string, value: string, ttlMs: number | null): void
  increment(key: string): number
  incrementFields(key: string, fields: readonly (readonly [string, number])[]): void
  setField(key: string, field: string, value: number): void
  removeFields(key: string, fields: readonly string[]): number
  expire(key: string, ttlMs: number): void
  remove(keys: readonly string[]): number
  publish(channel: string, text: string): number
}

/**
 * What the Lua scripts of packages/cached-resolvers/src/redis/redis-scripts.ts do, by the name that the store defines them under. The contract of the store is run
 * against both.
 */
export const scripts = {
  swapMany(server: ScriptTarget, its: readonly (string | number)[]): (1 | string | null)[] {
    const count = Number(its[0])
    const keys = its.slice(1, 1 + count) as string[]
    return keys.map((key, index) => {
      const [state, expected, value, ttl] = its.slice(1 + count + 4 * index, 5 + count + 4 * index) as string[]
      const held = server.get(key)
      const text = typeof held === 'string' ? held : null
      if (!isAllowed(state as string, expected as string, text)) return text
      server.set(key, value as string, ttl === '' ? null : Number(ttl))
      return 1
    })
  },

  addCounts(server: ScriptTarget, [, key, batch, ttl, ...counts]: readonly (string | number)[]): null {
    if (server.get(String(batch)) !== null) return null
    server.set(String(batch), '1', Math.min(600_000, Number(ttl) || 600_000))
    const fields: [string, number][] = []
    for (let index = 0; index < counts.length; index += 2) fields.push([String(counts[index]), Number(counts[index + 1])])
    server.incrementFields(String(key), fields)
    if (ttl !== '') server.expire(String(key), Number(ttl))
    return null
  },

  publishRemoval(server: ScriptTarget, its: readonly (string | number)[]): (string | number)[] {
    const [, numberKey, membersKey, channel, acknowledgeTo, keys] = its as [number, string, string, string, string, string]
    const [leaseMs, isMember] = its.slice(6).map(String) as [string, string]
    noticeLostMembers(server, [numberKey, membersKey], leaseMs, isMember)
    const number = nextNumber(server, numberKey)
    server.publish(channel, `${number}\n${acknowledgeTo}\n${keys}`)
    const now = Math.floor(server.now)
    const answer: (string | number)[] = [String(number)]
    for (const [member, until] of fieldsOf(server, membersKey)) {
      if (until > now) answer.push(member, until - now, String(until))
      else if (member !== lostMembers) server.removeFields(membersKey, [member])
    }
    return answer
  },

  forgetMembers(server: ScriptTarget, [, key, ...idsAndLeases]: readonly (string | number)[]): null {
    for (let index = 0; index < idsAndLeases.length; index += 2) {
      const member = String(idsAndLeases[index])
      if (member === lostMembers) continue
      const isSame = String(fieldsOf(server, String(key)).get(member)) === idsAndLeases[index + 1]
      if (isSame) server.removeFields(String(key), [member])
    }
    return null
  },

  heartbeat(server: ScriptTarget, its: readonly (string | number)[]): [number: string | null, marker: string | null] {
    const count = Number(its[0])
    const [numberKey, membersKey, markerKey] = its.slice(1, 1 + count) as [string, string, string?]
    const [id, leaseMs, registration, isMember] = its.slice(1 + count).map(String) as [string, string, string, string]
    noticeLostMembers(server, [numberKey, membersKey], leaseMs, isMember)
    if (leaseMs === '') {
      server.removeFields(membersKey, [id])
    } else {
      server.setField(membersKey, id, Math.floor(server.now) + Number(leaseMs))
    }
    const number = textOf(server, numberKey)
    if (markerKey !== undefined && registration !== '' && server.get(markerKey) === null)
      server.set(markerKey, registration, null)
    return [number, markerKey === undefined ? null : textOf(server, markerKey)]
  },

  addToBuckets(server: ScriptTarget, its: readonly (string | number)[]): string[] {
    const count = Number(its[0])
    const keys = its.slice(1, 1 + count) as string[]
    const leakPerMs = Number(its[1 + count])
    const now = Math.floor(server.now)
    return keys.map((key, index) => {
      const held = server.get(key)
      const [, before = '0', at = String(now)] = /^([\d.]+) (\d+)$/.exec(typeof held === 'string' ? held : '') ?? []
      const level = Math.max(0, Number(before) - (now - Number(at)) * leakPerMs) + Number(its[2 + count + index])
      server.set(key, `${level.toFixed(3)} ${now}`, Math.ceil(level / leakPerMs) + 1000)
      return level.toFixed(3)
    })
  },
}

export type ScriptName = keyof typeof scripts

function isAllowed(state: string, expected: string, held: string | null): boolean {
  if (state === 'unleased') return held === null || !held.startsWith(leaseMark)
  if (held === null) return state === 'vacant'
  return expected !== '' && held.startsWith(expected)
}

function noticeLostMembers(
  server: ScriptTarget,
  [numberKey, key]: readonly [string, string],
  leaseMs: string,
  isMember: string,
): void {
  if (!(server.get(key) instanceof Map)) server.remove([key])
  if (leaseMs === '' || fieldsOf(server, key).has(lostMembers)) return
  const isNew = isMember === '' && server.get(numberKey) === null
  try {
    server.setField(key, lostMembers, isNew ? 0 : Math.floor(server.now) + Number(leaseMs))
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
  }
}

function nextNumber(server: ScriptTarget, key: string): number | '?' {
  try {
    return server.increment(key)
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error
    if (error.message.startsWith('OOM')) return '?'
    if (!error.message.startsWith('ERR') && !error.message.startsWith('WRONGTYPE')) throw error
    server.remove([key])
    return server.increment(key)
  }
}

function textOf(server: ScriptTarget, key: string): string | null {
  const value = server.get(key)
  return typeof value === 'string' ? value : null
}

function fieldsOf(server: ScriptTarget, key: string): ReadonlyMap<string, number> {
  const value = server.get(key)
  return value instanceof Map ? value : new Map()
}
