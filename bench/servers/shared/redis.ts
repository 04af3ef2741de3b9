import { Redis } from 'ioredis'
import { redisUrl } from './environment.js'

/** One connection, as ioredis makes it unless told otherwise. */
export function createRedis({ enableAutoPipelining = false } = {}): Redis {
  return new Redis(redisUrl, { enableAutoPipelining })
}
