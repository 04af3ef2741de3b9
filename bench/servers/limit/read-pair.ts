import type { Redis } from 'ioredis'
import { type Kind, readMany } from '../shared/cache-aside.js'

type KindAndIds<V> = readonly [kind: Kind<V>, ids: readonly string[]]
type Values<V> = (V | null)[]

/** Reads values of two kinds with one MGET. */
export async function readPair<A, B>(redis: Redis, a: KindAndIds<A>, b: KindAndIds<B>): Promise<[Values<A>, Values<B>]> {
  const texts = await redis.mget([a, b].flatMap(([{ name }, ids]) => ids.map((id) => `${name}:${id}`)))
  const values = texts.map((text) => (text === null ? null : JSON.parse(text)))
  if (values.includes(null)) return Promise.all([readMany(redis, ...a), readMany(redis, ...b)])
  return [values.slice(0, a[1].length), values.slice(a[1].length)]
}
