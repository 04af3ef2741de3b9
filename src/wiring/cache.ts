import { Cache, type CacheStore, MemoryStore } from 'cached-resolvers'
import { RedisStore, type RedisTarget } from 'cached-resolvers/redis'
import type { Logger } from 'pino'
import { type Config, redisVariables } from '../config.js'
import { namespaces } from '../shop/entities.js'

export function createCache(config: Config, logger: Logger, store: CacheStore): Cache {
  const variable = redisVariable(config)
  const named = (message: string) => (variable === undefined ? message : `${variable}: ${message}`)
  const near = { maxBytes: config.CACHE_NEAR_MB * megabyte, maxStalenessMs: config.CACHE_NEAR_MAX_STALENESS_MS }
  return new Cache({
    store,
    prefix: config.CACHE_PREFIX,
    version: cacheVersion,
    namespaces,
    near: config.CACHE_NEAR_MB > 0 ? near : null,
    fetchLimits: {
      maxRunning: config.CACHE_MAX_FETCHES,
      // Before it runs, a statement may wait for a connection until the previous statement on this connection times out.
      maxRunMs: 2 * config.DATABASE_TIMEOUT_MS + responseMarginMs,
      maxWaiting: config.CACHE_MAX_WAITING_FETCHES,
      maxWaitMs: config.DATABASE_TIMEOUT_MS / 5,
    },
    log: (message, level) => logger[level](named(message)),
  })
}

export function createStore(config: Config, logger: Logger): CacheStore {
  const target = redisTarget(config)
  if (!target) return new MemoryStore({ maxBytes: config.CACHE_MEMORY_MB * megabyte })
  return new RedisStore({
    target,
    connections: config.REDIS_CONNECTIONS,
    prefix: config.CACHE_PREFIX,
    commandTimeoutMs: config.REDIS_TIMEOUT_MS,
    healthIntervalMs: config.REDIS_HEALTH_INTERVAL_MS,
    log: (message, level) => logger[level](`${redisVariable(config)}: ${message}`),
  })
}

/** The name of the setting that configures the shared cache, for messages about it */
export function redisVariable(config: Config): (typeof redisVariables)[number] | undefined {
  return redisVariables.find((name) => config[name] !== undefined)
}

function redisTarget(config: Config): RedisTarget | null {
  const { REDIS_URL: url, REDIS_CLUSTER_NODES: nodes, REDIS_SENTINEL_NODES: sentinels } = config
  if (url !== undefined) return { kind: 'server', url }
  if (nodes !== undefined) return { kind: 'cluster', urls: nodes }
  if (sentinels !== undefined) return { kind: 'sentinel', urls: sentinels, masterName: config.REDIS_SENTINEL_MASTER }
  return null
}

/** Time that the database server may need to cancel a statement that has timed out, and to report the cancellation */
export const responseMarginMs = 1_000
export const cacheVersion = 'v1'
export const megabyte = 1024 * 1024
