import type { Cluster, Redis } from 'ioredis'
import { leaseMark } from '../cache/entry.js'

export type ScriptedClient = (Redis | Cluster) & {
  swapMany(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<(1 | string | null)[]>
  addCounts(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  addToBuckets(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<string[]>
  publishRemoval(
    keyCount: 2,
    sequenceKey: string,
    membersKey: string,
    ...texts: (string | number)[]
  ): Promise<[string, ...(string | number)[]]>
  removeMembers(keyCount: 1, membersKey: string, ...idsAndLeases: string[]): Promise<unknown>
  heartbeat(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<[string | null, string | null]>
}

const serverNow = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/** Field in the hash of members, for unknown members of a hash that was lost. It never acknowledges and is never deleted. */
export const lostMembersField = '?'

/**
 * A members hash without this field was lost: evicted, flushed or overwritten. Unknown members may have been in it, which answer
 * from their near stores until their leases expire. The hash is new only if no sequence number exists and the caller is no
 * member.
 */
const noteLostMembers = `
local function noteLostMembers(sequence, members, lease, isMember)
  if redis.call('TYPE', members).ok ~= 'hash' then redis.call('DEL', members) end
  if lease == '' or redis.call('HEXISTS', members, '${lostMembersField}') == 1 then return end
  local isNew = isMember == '' and redis.call('EXISTS', sequence) == 0
  redis.pcall('HSET', members, '${lostMembersField}', isNew and 0 or now + lease)
end`

/** Compare-and-set of several keys. A key of another type counts as absent and is overwritten. */
export const swapManyScript = `
local replies = {}
for i, key in ipairs(KEYS) do
  local state, expected, value, ttl = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1], ARGV[i * 4]
  local current = redis.pcall('GET', key)
  if type(current) == 'table' then current = false end
  local allowed
  if state == 'unleased' then
    allowed = not current or string.sub(current, 1, ${leaseMark.length}) ~= '${leaseMark}'
  elseif current then
    allowed = expected ~= '' and string.sub(current, 1, #expected) == expected
  else
    allowed = state == 'vacant'
  end
  if allowed and ttl == '' then
    redis.call('SET', key, value)
  elseif allowed then
    redis.call('SET', key, value, 'PX', ttl)
  end
  replies[i] = allowed and 1 or current
end
return replies`

/**
 * Adds a batch of counts once. The second key records that the batch was added, for ten minutes or the TTL of the counts: a
 * client that got no reply sends the batch again.
 */
export const addCountsScript = `
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', math.min(600000, tonumber(ARGV[1]) or 600000)) then
  for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
  if ARGV[1] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
end`

/**
 * Publishes a removal with a sequence number, so that subscribers notice gaps. A full server (OOM) cannot increment the number;
 * it publishes '?' instead. Returns the number and the members that have to acknowledge, each with the remaining milliseconds of
 * its lease and the time when the lease ends.
 */
export const publishRemovalScript = `
${serverNow}
${noteLostMembers}
noteLostMembers(KEYS[1], KEYS[2], ARGV[4], ARGV[5])
local number = redis.pcall('INCR', KEYS[1])
if type(number) == 'table' and not string.find(number.err, 'OOM') then
  redis.call('DEL', KEYS[1])
  number = redis.pcall('INCR', KEYS[1])
end
if type(number) == 'table' then number = '?' end
redis.call('PUBLISH', ARGV[1], number .. '\\n' .. ARGV[2] .. '\\n' .. ARGV[3])
local reply = {tostring(number)}
local members = redis.call('HGETALL', KEYS[2])
for i = 1, #members, 2 do
  local remaining = (tonumber(members[i + 1]) or 0) - now
  if remaining > 0 then
    reply[#reply + 1] = members[i]
    reply[#reply + 1] = remaining
    reply[#reply + 1] = members[i + 1]
  elseif members[i] ~= '${lostMembersField}' then
    redis.call('HDEL', KEYS[2], members[i])
  end
end
return reply`

/**
 * Removes members whose lease is still the given, expired one. A member that renewed its lease stays: it answers from its near
 * store.
 */
export const removeMembersScript = `
for i = 1, #ARGV, 2 do
  if ARGV[i] ~= '${lostMembersField}' and redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end`

/**
 * Renews the membership of the caller for the time of its lease, if it has one. Returns the sequence number of the last removal
 * and the registration of the store. A registration that was evicted, flushed or overwritten by another type is restored: the
 * entries beside it were lost with it, or are as valid as before. The script always writes: a replica refuses this, which reveals
 * a master that was demoted. The members hash has no TTL, since a full server with a volatile eviction policy would evict it
 * first. On a full server with noeviction the script fails, so that no process becomes a member or uses its near store.
 */
export const heartbeatScript = `
${serverNow}
${noteLostMembers}
noteLostMembers(KEYS[1], KEYS[2], ARGV[2], ARGV[4])
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], now + ARGV[2])
end
local number = redis.pcall('GET', KEYS[1])
local registration = KEYS[3] and redis.pcall('GET', KEYS[3])
if KEYS[3] and ARGV[3] ~= '' and type(registration) ~= 'string' then
  redis.call('SET', KEYS[3], ARGV[3])
  registration = ARGV[3]
end
return {type(number) == 'string' and number or false, type(registration) == 'string' and registration or false}`

/**
 * Leaky buckets: each key holds the level and the time of its last update by the clock of the server, and expires when the bucket
 * is empty.
 */
export const addToBucketsScript = `
${serverNow}
local leak = tonumber(ARGV[1])
local levels = {}
for i, key in ipairs(KEYS) do
  local current = redis.pcall('GET', key)
  local level, at = string.match(type(current) == 'string' and current or '', '^([%d.]+) (%d+)$')
  level = math.max(0, tonumber(level or 0) - (now - tonumber(at or now)) * leak) + tonumber(ARGV[i + 1])
  redis.call('SET', key, string.format('%.3f %.0f', level, now), 'PX', math.ceil(level / leak) + 1000)
  levels[i] = string.format('%.3f', level)
end
return levels`
