import type { Cluster, Redis } from 'ioredis'
import { leaseMark } from '../cache/entry.js'

export type ScriptedClient = (Redis | Cluster) & {
  /** The arguments after the keys are four for each key: condition, expected prefix, value, and TTL in milliseconds or ''. */
  swapMany(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<(1 | string | null)[]>
  addCounts(
    keyCount: 2,
    countsKey: string,
    batchKey: string,
    ttlMs: number | '',
    ...fieldsAndCounts: (string | number)[]
  ): Promise<unknown>
  /** The arguments after the keys are the leak per millisecond and, for each key, the amount to add. */
  addToBuckets(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<string[]>
  publishRemoval(
    keyCount: 2,
    sequenceKey: string,
    membersKey: string,
    channel: string,
    acknowledgeLine: string,
    removedKeys: string,
    nearLeaseMs: number | '',
    isMember: '1' | '',
  ): Promise<[sequenceNumber: string, ...idsRemainingMsAndLeases: (string | number)[]]>
  removeMembers(keyCount: 1, membersKey: string, ...idsAndLeases: string[]): Promise<unknown>
  /** `keys` are the sequence key, the members key and, except in a cluster, the registration key. */
  heartbeat(
    keyCount: number,
    ...keysAndArguments: [...keys: string[], id: string, nearLeaseMs: number | '', registration: string, isMember: '1' | '']
  ): Promise<[sequenceNumber: string | null, registration: string | null]>
}

const serverNow = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/**
 * Field in the members hash that stands for the unknown members of a lost hash. It never acknowledges a removal and is never
 * deleted.
 */
export const lostMembersField = '?'

/**
 * Ensures that the members hash contains `lostMembersField`, if the caller has a near lease (see Watcher.nearLeaseMs). A hash
 * without this field is new or was lost (evicted, flushed or overwritten):
 * - It counts as new if no sequence number exists and the caller is not a member. The field is then 0, a lease that has expired.
 * - Otherwise it counts as lost. The lost hash may have contained members that answer from their near stores until their leases
 *   expire, so the field gets a lease of the caller's duration.
 */
const noteLostMembers = `
local function noteLostMembers(sequenceKey, membersKey, leaseMs, isMember)
  if redis.call('TYPE', membersKey).ok ~= 'hash' then redis.call('DEL', membersKey) end
  if leaseMs == '' or redis.call('HEXISTS', membersKey, '${lostMembersField}') == 1 then return end
  local isNew = isMember == '' and redis.call('EXISTS', sequenceKey) == 0
  redis.pcall('HSET', membersKey, '${lostMembersField}', isNew and 0 or now + leaseMs)
end`

/**
 * Compares and sets the texts of several keys. A key that does not hold a string counts as missing, so it is overwritten if the
 * condition allows a missing key. Returns 1 for each key that was set, and the current text of each other key. The conditions:
 * - notLeased: the text is not a lease, or the key is missing
 * - mustExist: the text starts with the expected prefix; an empty prefix matches no text
 * - mayBeMissing: like mustExist, or the key is missing
 */
export const swapManyScript = `
local replies = {}
for i, key in ipairs(KEYS) do
  local condition, expected, value, ttl = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1], ARGV[i * 4]
  local current = redis.pcall('GET', key)
  if type(current) == 'table' then current = false end
  local allowed
  if condition == 'notLeased' then
    allowed = not current or string.sub(current, 1, ${leaseMark.length}) ~= '${leaseMark}'
  elseif current then
    allowed = expected ~= '' and string.sub(current, 1, #expected) == expected
  else
    allowed = condition == 'mayBeMissing'
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
 * Adds a batch of counts, unless the batch was already added, because a client that received no reply sends the batch again. The
 * batch key records that the batch was added, for ten minutes or, if that is shorter, for the TTL of the counts.
 */
export const addCountsScript = `
local countsKey, batchKey, ttl = KEYS[1], KEYS[2], ARGV[1]
if redis.call('SET', batchKey, '1', 'NX', 'PX', math.min(600000, tonumber(ttl) or 600000)) then
  for i = 2, #ARGV, 2 do redis.call('HINCRBY', countsKey, ARGV[i], ARGV[i + 1]) end
  if ttl ~= '' then redis.call('PEXPIRE', countsKey, ttl) end
end`

/**
 * Publishes a removal with a sequence number, so that subscribers notice gaps. On a full server (OOM), the sequence number cannot
 * be incremented, and '?' is published instead. A sequence key that does not hold a number is deleted, and the numbers begin
 * again at 1. Returns the sequence number and all members with an unexpired lease, possibly with the caller and
 * `lostMembersField`. Each member is returned as its id, the remaining milliseconds of its lease, and the time when its lease
 * ends.
 */
export const publishRemovalScript = `
${serverNow}
${noteLostMembers}
local sequenceKey, membersKey = KEYS[1], KEYS[2]
local channel, acknowledgeLine, removedKeys, leaseMs, isMember = unpack(ARGV)
noteLostMembers(sequenceKey, membersKey, leaseMs, isMember)
local number = redis.pcall('INCR', sequenceKey)
if type(number) == 'table' and not string.find(number.err, 'OOM') then
  redis.call('DEL', sequenceKey)
  number = redis.pcall('INCR', sequenceKey)
end
if type(number) == 'table' then number = '?' end
redis.call('PUBLISH', channel, number .. '\\n' .. acknowledgeLine .. '\\n' .. removedKeys)
local reply = {tostring(number)}
local members = redis.call('HGETALL', membersKey)
for i = 1, #members, 2 do
  local id, lease = members[i], members[i + 1]
  local remaining = (tonumber(lease) or 0) - now
  if remaining > 0 then
    reply[#reply + 1] = id
    reply[#reply + 1] = remaining
    reply[#reply + 1] = lease
  elseif id ~= '${lostMembersField}' then
    redis.call('HDEL', membersKey, id)
  end
end
return reply`

/**
 * Removes members that did not acknowledge a removal although the caller has waited until their leases expired. A member whose
 * lease differs from the lease that the caller read has renewed it. This member remains, since it may answer from its near store.
 */
export const removeMembersScript = `
local membersKey = KEYS[1]
for i = 1, #ARGV, 2 do
  local id, lease = ARGV[i], ARGV[i + 1]
  if id ~= '${lostMembersField}' and redis.call('HGET', membersKey, id) == lease then redis.call('HDEL', membersKey, id) end
end`

/**
 * Renews the membership of the caller for the time of its lease, or ends the membership if the caller has no lease. Returns the
 * sequence number of the last removal and the registration of the store. Restores a registration that was evicted, flushed or
 * overwritten by another type. This is safe because the remaining entries are as valid as before, since the pending invalidations
 * of the registration were kept. The script always writes. A replica rejects the write, which reveals a master that was demoted.
 * The members hash has no TTL, since a full server with a volatile eviction policy would evict keys with a TTL first. On a full
 * server with noeviction the script fails, so no process becomes a member or uses its near store.
 */
export const heartbeatScript = `
${serverNow}
${noteLostMembers}
local sequenceKey, membersKey, registrationKey = KEYS[1], KEYS[2], KEYS[3]
local id, leaseMs, registration, isMember = unpack(ARGV)
noteLostMembers(sequenceKey, membersKey, leaseMs, isMember)
if leaseMs == '' then
  redis.call('HDEL', membersKey, id)
else
  redis.call('HSET', membersKey, id, now + leaseMs)
end
local number = redis.pcall('GET', sequenceKey)
local found = registrationKey and redis.pcall('GET', registrationKey)
if registrationKey and registration ~= '' and type(found) ~= 'string' then
  redis.call('SET', registrationKey, registration)
  found = registration
end
return {type(number) == 'string' and number or false, type(found) == 'string' and found or false}`

/**
 * Adds to leaky buckets and returns the new levels. Each key holds the level of a bucket and the time of the last update by the
 * clock of the server. The key expires after the bucket has become empty.
 */
export const addToBucketsScript = `
${serverNow}
local leakPerMs = tonumber(ARGV[1])
local levels = {}
for i, key in ipairs(KEYS) do
  local current = redis.pcall('GET', key)
  local level, at = string.match(type(current) == 'string' and current or '', '^([%d.]+) (%d+)$')
  level = math.max(0, tonumber(level or 0) - (now - tonumber(at or now)) * leakPerMs) + tonumber(ARGV[i + 1])
  redis.call('SET', key, string.format('%.3f %.0f', level, now), 'PX', math.ceil(level / leakPerMs) + 1000)
  levels[i] = string.format('%.3f', level)
end
return levels`
