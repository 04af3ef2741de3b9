import { withDeadline } from 'cached-resolvers'

export interface HealthReport {
  /**
   * healthy: database and cache are up; degraded: the cache is down, so data comes from the database; unavailable: the database
   * is down
   */
  status: 'healthy' | 'degraded' | 'unavailable'
  database: ComponentHealth
  cache: ComponentHealth & { backend: string }
  uptimeSeconds: number
}

export type ComponentHealth = { state: 'up'; latencyMs: number } | { state: 'down'; reason: string }

export interface HealthOptions {
  /** Resolves with the round-trip time in milliseconds, like pingCache. */
  pingDatabase: () => Promise<number>
  pingCache: () => Promise<number>
  cacheBackend: string
  /** How long to wait for an answer. A component that has not answered after this time is reported as down. */
  deadlineMs: number
  /** Describes an error without details that must not be public. */
  describe: (error: unknown) => string
  startedAt: number
  now: () => number
}

export async function checkHealth(options: HealthOptions): Promise<HealthReport> {
  const { pingDatabase, pingCache, cacheBackend, startedAt, now } = options
  const [database, cache] = await Promise.all([probe(pingDatabase, options), probe(pingCache, options)])
  const status = database.state === 'down' ? 'unavailable' : cache.state === 'down' ? 'degraded' : 'healthy'
  return { status, database, cache: { backend: cacheBackend, ...cache }, uptimeSeconds: Math.floor((now() - startedAt) / 1000) }
}

/** Makes concurrent calls share one health check, so that a flood of requests does not use up the database connections. */
export function coalesceCalls(check: () => Promise<HealthReport>): () => Promise<HealthReport> {
  let pending: Promise<HealthReport> | undefined
  return () => {
    pending ??= check().finally(() => {
      pending = undefined
    })
    return pending
  }
}

type ProbeOptions = Pick<HealthOptions, 'deadlineMs' | 'describe'>

async function probe(ping: () => Promise<number>, { deadlineMs, describe }: ProbeOptions): Promise<ComponentHealth> {
  try {
    const latencyMs = await withDeadline(ping(), deadlineMs, () => new Error(`no answer within ${deadlineMs} ms`))
    return { state: 'up', latencyMs: Math.round(latencyMs * 100) / 100 }
  } catch (error) {
    return { state: 'down', reason: describe(error) }
  }
}
