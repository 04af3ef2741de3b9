import type { Redis } from 'ioredis'
import { leaseMark } from '../packages/cached-resolvers/src/cache/entry.js'
import type { Random } from './random.js'
import { pickServer } from './redis-faults.js'
import { scanKeys } from './scan.js'
import type { World } from './world.js'

export async function flush(world: World, random: Random): Promise<void> {
  await pickServer(world, random).client.flushall()
}

/** Bytes that no entry, generation or number has: over all of the value, or in the middle of it. */
export async function corrupt(world: World, random: Random): Promise<void> {
  const { client } = pickServer(world, random)
  for (const key of await someKeys(client, random)) {
    const garbage = `\u0000\u00ff${Math.floor(random.next() * 1e9)}`
    if (random.chance(0.5)) await client.set(key, garbage)
    else await client.setrange(key, random.between(0, 60), '\u0000\u0001').catch(() => undefined)
  }
}

export async function wrongTypes(world: World, random: Random): Promise<void> {
  const { client } = pickServer(world, random)
  for (const key of await someKeys(client, random)) {
    const change = client.multi().del(key)
    await (random.chance(0.5) ? change.rpush(key, 'not', 'ours') : change.hset(key, 'not', 'ours')).exec()
  }
}

/** As a full server does it: nobody is told. */
export async function evict(world: World, random: Random): Promise<void> {
  const { client } = pickServer(world, random)
  const keys = await someKeys(client, random)
  if (keys.length > 0) await client.unlink(...keys)
}

/** Entries that are past their soft TTL now: they are served and refilled. */
export async function age(world: World, random: Random): Promise<void> {
  const { client } = pickServer(world, random)
  const keys = await someKeys(client, random)
  if (keys.length > 0) await client.eval(ageScript, keys.length, ...keys, Date.now() - 1)
}

const ageScript = `
for _, key in ipairs(KEYS) do
  local text = redis.pcall('GET', key)
  if type(text) == 'string' and string.sub(text, 1, 2) == '1|' then
    local aged, changes = string.gsub(text, '^(1|[^|]*|[^|]*|)%d+', '%1' .. ARGV[1])
    if changes == 1 then redis.call('SET', key, aged, 'KEEPTTL') end
  end
end`

/** A part of all keys that the engine has, generations and its own numbers included. Leases stay: they are taken away by eviction of the rest. */
async function someKeys(client: Redis, random: Random): Promise<string[]> {
  const share = random.pick([0.05, 0.3, 1])
  const keys = (await scanKeys(client, '*')).sort().filter(() => random.chance(share))
  const texts = keys.length > 0 ? await client.mget(keys) : []
  return keys.filter((_, index) => !texts[index]?.startsWith(leaseMark))
}
