import { Redis } from 'ioredis'
import { redisUrl } from './environment.js'

/** One connection with the defaults of ioredis */
export function createRedis({ enableAutoPipelining = false } = {}): Redis {
  return new Redis(redisUrl, { enableAutoPipelining })
}
