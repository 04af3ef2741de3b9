import type { Cluster, Redis } from 'ioredis'
import { leaseMark } from '../cache/entry.js'

export type ScriptedClient = (Redis | Cluster) & {
  swapMany(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<(1 | string | null)[]>
  addCounts(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  addToBuckets(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<string[]>
  publishRemoval(
    keyCount: 2,
    numberKey: string,
    membersKey: string,
    ...texts: (string | number)[]
  ): Promise<[string, ...(string | number)[]]>
  forgetMembers(keyCount: 1, membersKey: string, ...idsAndLeases: string[]): Promise<unknown>
  heartbeat(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<[string | null, string | null]>
}

const serverNow = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

/** In the list of members, for those who were in one that was lost. It acknowledges nothing, and always stays. */
export const lostMembers = '?'

/**
 * A list without the mark was lost: evicted, flushed or overwritten. Others may have been in it, and answer from what they keep until their
 * leases have run out. Only where nothing was ever numbered, and the caller is no member, is the list new.
 */
const noticeLostMembers = `
local function noticeLostMembers(number, list, lease, isMember)
  if redis.call('TYPE', list).ok ~= 'hash' then redis.call('DEL', list) end
  if lease == '' or redis.call('HEXISTS', list, '${lostMembers}') == 1 then return end
  local isNew = isMember == '' and redis.call('EXISTS', number) == 0
  redis.pcall('HSET', list, '${lostMembers}', isNew and 0 or now + lease)
end`

/** A key of another type under our name counts as nothing, and is overwritten. */
export const swapManyScript = `
local answers = {}
for i, key in ipairs(KEYS) do
  local state, expected, value, ttl = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1], ARGV[i * 4]
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then held = false end
  local allowed
  if state == 'unleased' then
    allowed = not held or string.sub(held, 1, ${leaseMark.length}) ~= '${leaseMark}'
  elseif held then
    allowed = expected ~= '' and string.sub(held, 1, #expected) == expected
  else
    allowed = state == 'vacant'
  end
  if allowed and ttl == '' then
    redis.call('SET', key, value)
  elseif allowed then
    redis.call('SET', key, value, 'PX', ttl)
  end
  answers[i] = allowed and 1 or held
end
return answers`

/**
 * The second key remembers for ten minutes, or as long as what is counted is kept, which batch it was: it is sent again after a second,
 * once the server answers.
 */
export const addCountsScript = `
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', math.min(600000, tonumber(ARGV[1]) or 600000)) then
  for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
  if ARGV[1] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
end`

/**
 * Numbered, so that whoever missed one knows it. A full server cannot count, but still tells. Answers the number, and the members that
 * have to acknowledge, each with the milliseconds that its lease goes on, and when it ends.
 */
export const publishRemovalScript = `
${serverNow}
${noticeLostMembers}
noticeLostMembers(KEYS[1], KEYS[2], ARGV[4], ARGV[5])
local number = redis.pcall('INCR', KEYS[1])
if type(number) == 'table' and not string.find(number.err, 'OOM') then
  redis.call('DEL', KEYS[1])
  number = redis.pcall('INCR', KEYS[1])
end
if type(number) == 'table' then number = '?' end
redis.call('PUBLISH', ARGV[1], number .. '\\n' .. ARGV[2] .. '\\n' .. ARGV[3])
local answer = {tostring(number)}
local members = redis.call('HGETALL', KEYS[2])
for i = 1, #members, 2 do
  local left = (tonumber(members[i + 1]) or 0) - now
  if left > 0 then
    answer[#answer + 1] = members[i]
    answer[#answer + 1] = left
    answer[#answer + 1] = members[i + 1]
  elseif members[i] ~= '${lostMembers}' then
    redis.call('HDEL', KEYS[2], members[i])
  end
end
return answer`

/** Only while it is the lease that ran out: who renewed it meanwhile goes on answering from what it keeps. */
export const forgetMembersScript = `
for i = 1, #ARGV, 2 do
  if ARGV[i] ~= '${lostMembers}' and redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end`

/**
 * Makes the caller a member for as long as its lease, if it has one, and answers the number of the last removal and the marker. A marker
 * that was evicted, flushed or overwritten by something that is no text is put back: what it stood beside went with it, or is as right as before. The script always writes, which a
 * replica refuses: a master that became one is noticed. The list of members does not expire, since a full server with a volatile policy would
 * evict it before all else. On a full server without a policy nobody becomes a member, or uses its near store.
 */
export const heartbeatScript = `
${serverNow}
${noticeLostMembers}
noticeLostMembers(KEYS[1], KEYS[2], ARGV[2], ARGV[4])
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  redis.call('HSET', KEYS[2], ARGV[1], now + ARGV[2])
end
local number = redis.pcall('GET', KEYS[1])
local marker = KEYS[3] and redis.pcall('GET', KEYS[3])
if KEYS[3] and ARGV[3] ~= '' and type(marker) ~= 'string' then
  redis.call('SET', KEYS[3], ARGV[3])
  marker = ARGV[3]
end
return {type(number) == 'string' and number or false, type(marker) == 'string' and marker or false}`

/** What a bucket holds, and when, by the clock of the server; one that has run dry is forgotten. */
export const addToBucketsScript = `
${serverNow}
local leak = tonumber(ARGV[1])
local levels = {}
for i, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  local level, at = string.match(type(held) == 'string' and held or '', '^([%d.]+) (%d+)$')
  level = math.max(0, tonumber(level or 0) - (now - tonumber(at or now)) * leak) + tonumber(ARGV[i + 1])
  redis.call('SET', key, string.format('%.3f %.0f', level, now), 'PX', math.ceil(level / leak) + 1000)
  levels[i] = string.format('%.3f', level)
end
return levels`
