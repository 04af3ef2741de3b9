import type { Redis } from 'ioredis'
import { leaseMark } from '../packages/cached-resolvers/src/cache/entry.js'
import type { Random } from './random.js'
import { pickServer } from './redis-faults.js'
import { scanKeys } from './scan.js'
import type { World } from './world.js'

export async function flush(world: World, random: Random): Promise<void> {
  await pickServer(world, random).client.flushall()
}

/** Writes bytes that no entry, generation or number contains, in place of the value or into the middle of it. */
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

/** Like the eviction of a full server: without invalidation messages. */
export async function evict(world: World, random: Random): Promise<void> {
  const { client } = pickServer(world, random)
  const keys = await someKeys(client, random)
  if (keys.length > 0) await client.unlink(...keys)
}

/** Sets the soft TTL of entries to the past: they are still served, and are refilled. */
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

/** A random share of all keys of the engine, including generations and sequence numbers, but no leases. */
async function someKeys(client: Redis, random: Random): Promise<string[]> {
  const share = random.pick([0.05, 0.3, 1])
  const keys = (await scanKeys(client, '*')).sort().filter(() => random.chance(share))
  const texts = keys.length > 0 ? await client.mget(keys) : []
  return keys.filter((_, index) => !texts[index]?.startsWith(leaseMark))
}
