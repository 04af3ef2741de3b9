import { leaseMark } from '../../packages/cached-resolvers/src/cache/entry.js'
import { lostMembersField } from '../../packages/cached-resolvers/src/redis/redis-scripts.js'
import { ReplyError } from './redis-errors.js'

/** The operations of the server that scripts use */
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
 * The Lua scripts of packages/cached-resolvers/src/redis/redis-scripts.ts as functions, by the names under which the store
 * defines them. The contract tests of the store run against both.
 */
export const scripts = {
  swapMany(server: ScriptTarget, args: readonly (string | number)[]): (1 | string | null)[] {
    const count = Number(args[0])
    const keys = args.slice(1, 1 + count) as string[]
    return keys.map((key, index) => {
      const [condition, expected, value, ttl] = args.slice(1 + count + 4 * index, 5 + count + 4 * index) as string[]
      const stored = server.get(key)
      const text = typeof stored === 'string' ? stored : null
      if (!isAllowed(condition as string, expected as string, text)) return text
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

  publishRemoval(server: ScriptTarget, args: readonly (string | number)[]): (string | number)[] {
    const [, sequenceKey, membersKey, channel, acknowledgeLine, removedKeys] = args as [
      number,
      string,
      string,
      string,
      string,
      string,
    ]
    const [leaseMs, isMember] = args.slice(6).map(String) as [string, string]
    noteLostMembers(server, [sequenceKey, membersKey], leaseMs, isMember)
    const number = nextNumber(server, sequenceKey)
    server.publish(channel, `${number}\n${acknowledgeLine}\n${removedKeys}`)
    const now = Math.floor(server.now)
    const reply: (string | number)[] = [String(number)]
    for (const [member, until] of fieldsOf(server, membersKey)) {
      if (until > now) reply.push(member, until - now, String(until))
      else if (member !== lostMembersField) server.removeFields(membersKey, [member])
    }
    return reply
  },

  removeMembers(server: ScriptTarget, [, key, ...idsAndLeases]: readonly (string | number)[]): null {
    for (let index = 0; index < idsAndLeases.length; index += 2) {
      const member = String(idsAndLeases[index])
      if (member === lostMembersField) continue
      const isSame = String(fieldsOf(server, String(key)).get(member)) === idsAndLeases[index + 1]
      if (isSame) server.removeFields(String(key), [member])
    }
    return null
  },

  heartbeat(server: ScriptTarget, args: readonly (string | number)[]): [number: string | null, registration: string | null] {
    const count = Number(args[0])
    const [sequenceKey, membersKey, registrationKey] = args.slice(1, 1 + count) as [string, string, string?]
    const [id, leaseMs, registration, isMember] = args.slice(1 + count).map(String) as [string, string, string, string]
    noteLostMembers(server, [sequenceKey, membersKey], leaseMs, isMember)
    if (leaseMs === '') {
      server.removeFields(membersKey, [id])
    } else {
      server.setField(membersKey, id, Math.floor(server.now) + Number(leaseMs))
    }
    const number = textOf(server, sequenceKey)
    if (registrationKey !== undefined && registration !== '' && server.get(registrationKey) === null)
      server.set(registrationKey, registration, null)
    return [number, registrationKey === undefined ? null : textOf(server, registrationKey)]
  },

  addToBuckets(server: ScriptTarget, args: readonly (string | number)[]): string[] {
    const count = Number(args[0])
    const keys = args.slice(1, 1 + count) as string[]
    const leakPerMs = Number(args[1 + count])
    const now = Math.floor(server.now)
    return keys.map((key, index) => {
      const stored = server.get(key)
      const [, before = '0', at = String(now)] = /^([\d.]+) (\d+)$/.exec(typeof stored === 'string' ? stored : '') ?? []
      const level = Math.max(0, Number(before) - (now - Number(at)) * leakPerMs) + Number(args[2 + count + index])
      server.set(key, `${level.toFixed(3)} ${now}`, Math.ceil(level / leakPerMs) + 1000)
      return level.toFixed(3)
    })
  },
}

export type ScriptName = keyof typeof scripts

function isAllowed(condition: string, expected: string, stored: string | null): boolean {
  if (condition === 'notLeased') return stored === null || !stored.startsWith(leaseMark)
  if (stored === null) return condition === 'mayBeMissing'
  return expected !== '' && stored.startsWith(expected)
}

function noteLostMembers(
  server: ScriptTarget,
  [sequenceKey, key]: readonly [string, string],
  leaseMs: string,
  isMember: string,
): void {
  if (!(server.get(key) instanceof Map)) server.remove([key])
  if (leaseMs === '' || fieldsOf(server, key).has(lostMembersField)) return
  const isNew = isMember === '' && server.get(sequenceKey) === null
  try {
    server.setField(key, lostMembersField, isNew ? 0 : Math.floor(server.now) + Number(leaseMs))
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
