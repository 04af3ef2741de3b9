import type { Cluster, Redis } from 'ioredis'
import { leaseMark } from './entry.js'

export type ScriptedClient = (Redis | Cluster) & {
  swapMany(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<(1 | string | null)[]>
  addCounts(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
  addToBuckets(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<string[]>
  publishRemoval(keyCount: 1, countKey: string, channel: string, keys: string): Promise<unknown>
}

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

/** Numbered, so that whoever missed one knows it. A full server cannot count, but still tells. */
export const publishRemovalScript = `
local number = redis.pcall('INCR', KEYS[1])
if type(number) == 'table' and not string.find(number.err, 'OOM') then
  redis.call('DEL', KEYS[1])
  number = redis.pcall('INCR', KEYS[1])
end
if type(number) == 'table' then number = '?' end
return redis.call('PUBLISH', ARGV[1], number .. '\\n' .. ARGV[2])`

/** What a bucket holds, and when, by the clock of the server; one that has run dry is forgotten. */
export const addToBucketsScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
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
