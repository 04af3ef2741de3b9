import type { Redis } from 'ioredis'
import { ttlSeconds } from './environment.js'
import type { FetchRows } from './rows.js'

/** A kind of cached values: its key prefix and its fetch function */
export interface Kind<V> {
  name: string
  fetch: FetchRows<V>
}

/** One GET; on a miss one SQL statement and one SET. */
export async function readOne<V>(redis: Redis, { name, fetch }: Kind<V>, id: string): Promise<V | null> {
  const cached = await redis.get(`${name}:${id}`)
  if (cached !== null) return JSON.parse(cached) as V
  const value = (await fetch([id])).get(id)
  if (value === undefined) return null
  await redis.set(`${name}:${id}`, JSON.stringify(value), 'EX', ttlSeconds)
  return value
}

/** One MGET; on misses one SQL statement and one pipeline of SETs. Returns the values in the order of the ids. */
export async function readMany<V>(redis: Redis, { name, fetch }: Kind<V>, ids: readonly string[]): Promise<(V | null)[]> {
  const cached = await redis.mget(ids.map((id) => `${name}:${id}`))
  const missing = ids.filter((_, index) => cached[index] === null)
  const fetched = missing.length > 0 ? await fetch(missing) : new Map<string, V>()
  if (fetched.size > 0) await fill(redis, name, fetched)
  return cached.map((text, index) => (text === null ? (fetched.get(ids[index] as string) ?? null) : (JSON.parse(text) as V)))
}

async function fill(redis: Redis, name: string, values: ReadonlyMap<string, unknown>): Promise<void> {
  const pipeline = redis.pipeline()
  for (const [id, value] of values) pipeline.set(`${name}:${id}`, JSON.stringify(value), 'EX', ttlSeconds)
  await pipeline.exec()
}
