import type { FastifyInstance } from 'fastify'
import type { HealthReport } from './health.js'

export interface HealthRoutesOptions {
  checkHealth: () => Promise<HealthReport>
  /** Aborted when the process shuts down */
  drainSignal: AbortSignal
}

export const probePaths = ['/livez', '/readyz', '/health']

type Readiness = { state: 'ready' } | { state: 'leaving' } | { state: 'database-away' }

/**
 * Routes /health, /livez and /readyz. /health is for people and monitoring, the other two are probes for orchestrators: /livez
 * answers as long as the process runs, and /readyz returns whether requests should be routed to the process. /readyz ignores an
 * unavailable cache, because data then comes from the database.
 */
export function registerHealth(server: FastifyInstance, { checkHealth, drainSignal }: HealthRoutesOptions): void {
  server.get('/health', async (_, reply) => {
    const report = await checkHealth()
    return reply
      .code(report.status === 'unavailable' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report)
  })
  server.get('/livez', async (_, reply) => reply.header('cache-control', 'no-store').send({ state: 'alive' }))
  server.get('/readyz', async (_, reply) => {
    const readiness = await readinessOf({ checkHealth, drainSignal })
    return reply
      .code(readiness.state === 'ready' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness)
  })
}

async function readinessOf({ checkHealth, drainSignal }: HealthRoutesOptions): Promise<Readiness> {
  const status = drainSignal.aborted ? null : (await checkHealth()).status
  // `drainSignal` is checked again, because shutdown may have started during the health check.
  if (drainSignal.aborted) return { state: 'leaving' }
  return { state: status === 'unavailable' ? 'database-away' : 'ready' }
}
