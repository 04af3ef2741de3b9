import type { FastifyInstance } from 'fastify'
import type { HealthReport } from './health.js'

export interface HealthRoutesOptions {
  checkHealth: () => Promise<HealthReport>
  leaving: AbortSignal
}

export const probePaths = ['/livez', '/readyz', '/health']

type Readiness = { state: 'ready' } | { state: 'leaving' } | { state: 'database-away' }

/**
 * /health is for people and monitoring, the others for what starts and stops processes: /livez answers while the process does, and
 * /readyz says whether requests should be sent here. A cache that is away does not matter: answers come from the database.
 */
export function registerHealth(server: FastifyInstance, { checkHealth, leaving }: HealthRoutesOptions): void {
  server.get('/health', async (_, reply) => {
    const report = await checkHealth()
    return reply
      .code(report.status === 'unavailable' ? 503 : 200)
      .header('cache-control', 'no-store')
      .send(report)
  })
  server.get('/livez', async (_, reply) => reply.header('cache-control', 'no-store').send({ state: 'alive' }))
  server.get('/readyz', async (_, reply) => {
    const readiness = await readinessOf({ checkHealth, leaving })
    return reply
      .code(readiness.state === 'ready' ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness)
  })
}

async function readinessOf({ checkHealth, leaving }: HealthRoutesOptions): Promise<Readiness> {
  const status = leaving.aborted ? null : (await checkHealth()).status
  // It may have been told to go in the meantime.
  if (leaving.aborted) return { state: 'leaving' }
  return { state: status === 'unavailable' ? 'database-away' : 'ready' }
}
