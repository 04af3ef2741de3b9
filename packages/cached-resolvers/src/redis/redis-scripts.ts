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

/** Field in the members hash that stands for the unknown members of a lost hash. It never acknowledges and is never deleted. */
export const lostMembersField = '?'

/**
 * Adds `lostMembersField` to a members hash without this field, which is new or was lost: evicted, flushed or overwritten. The
 * lost hash may have contained members, which answer from their near stores until their leases expire, so the field gets a lease
 * of the caller's duration. The hash is considered new only if no sequence number exists and the caller is not a member.
 */
const noteLostMembers = `
local function noteLostMembers(sequence, members, lease, isMember)
  if redis.call('TYPE', members).ok ~= 'hash' then redis.call('DEL', members) end
  if lease == '' or redis.call('HEXISTS', members, '${lostMembersField}') == 1 then return end
  local isNew = isMember == '' and redis.call('EXISTS', sequence) == 0
  redis.pcall('HSET', members, '${lostMembersField}', isNew and 0 or now + lease)
end`

/** Compare-and-set of several keys. A key that does not hold a string counts as absent and is overwritten. */
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
 * Adds a batch of counts, but not again if the batch was already added: a client that received no reply sends the batch again.
 * The second key records that the batch was added, for ten minutes or, if that is shorter, for the TTL of the counts.
 */
export const addCountsScript = `
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', math.min(600000, tonumber(ARGV[1]) or 600000)) then
  for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
  if ARGV[1] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
end`

/**
 * Publishes a removal with a sequence number, so that subscribers notice gaps. A full server (OOM) cannot increment the sequence
 * number and publishes '?' instead. Returns the sequence number and the members that have to acknowledge the removal, each with
 * the remaining milliseconds of its lease and the time when the lease ends.
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
 * Removes members whose lease has expired, unless the lease changed since the caller read it. A member that has renewed its lease
 * remains, since it may answer from its near store.
 */
export const removeMembersScript = `
for i = 1, #ARGV, 2 do
  if ARGV[i] ~= '${lostMembersField}' and redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end`

/**
 * Renews the membership of the caller for the time of its lease, or ends the membership if the caller has no lease. Returns the
 * sequence number of the last removal and the registration of the store. Restores a registration that was evicted, flushed or
 * overwritten by another type: entries on the same server were lost as well, or are as valid as before. The script always writes.
 * A replica rejects the write, which reveals a master that was demoted. The members hash has no TTL, since a full server with a
 * volatile eviction policy would evict keys with a TTL first. On a full server with noeviction the script fails, so no process
 * becomes a member or uses its near store.
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
 * Adds to leaky buckets and returns the new levels. Each key holds the level of a bucket and the time of the last update by the
 * clock of the server. The key expires after the bucket has become empty.
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
