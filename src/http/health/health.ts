import { withDeadline } from 'cached-resolvers'

export interface HealthReport {
  /** healthy: all is there; degraded: answers come without the cache; unavailable: there is no database */
  status: 'healthy' | 'degraded' | 'unavailable'
  database: ComponentHealth
  cache: ComponentHealth & { backend: string }
  uptimeSeconds: number
}

export type ComponentHealth = { state: 'up'; latencyMs: number } | { state: 'down'; reason: string }

export interface HealthOptions {
  /** Resolve with the round trip in milliseconds. */
  pingDatabase: () => Promise<number>
  pingCache: () => Promise<number>
  cacheBackend: string
  /** A component without an answer by then counts as down. */
  deadlineMs: number
  /** What may be said of an error to everybody */
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

/** Whoever asks while a check is under way gets the same report: a flood of questions must not take the database's connections. */
export function oneAtATime(check: () => Promise<HealthReport>): () => Promise<HealthReport> {
  let underWay: Promise<HealthReport> | undefined
  return () => {
    underWay ??= check().finally(() => {
      underWay = undefined
    })
    return underWay
  }
}

type Probing = Pick<HealthOptions, 'deadlineMs' | 'describe'>

async function probe(ping: () => Promise<number>, { deadlineMs, describe }: Probing): Promise<ComponentHealth> {
  try {
    const latencyMs = await withDeadline(ping(), deadlineMs, () => new Error(`no answer within ${deadlineMs} ms`))
    return { state: 'up', latencyMs: Math.round(latencyMs * 100) / 100 }
  } catch (error) {
    return { state: 'down', reason: describe(error) }
  }
}
