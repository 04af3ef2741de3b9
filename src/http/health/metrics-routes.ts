import type { FastifyInstance } from 'fastify'
import { administratorsOnly } from '../authentication.js'
import { registerDashboard } from '../pages/dashboard.js'
import { requestError } from '../request-error.js'

export interface MetricsRoutes {
  /** Returns the metrics in Prometheus text format. */
  readMetrics: () => Promise<string>
  metricsContentType: string
  /** Returns the samples after the time `after` (in milliseconds), because the page polls for new samples only. */
  readDashboard: (after: number) => Promise<unknown>
  /** Returns what the cache holds under an id or for a list; null if there is no such namespace. */
  inspectCache: (namespace: string, idOrList: string) => Promise<unknown>
}

/** Routes /metrics and /dashboard. The metrics are for administrators only. */
export function registerMetrics(server: FastifyInstance, options: MetricsRoutes): void {
  const { readMetrics, metricsContentType, readDashboard, inspectCache } = options
  void server.register((routes, _, done) => {
    routes.addHook('onRequest', administratorsOnly)
    routes.get('/metrics', async (_, reply) =>
      reply
        .header('cache-control', 'no-store')
        .type(metricsContentType)
        .send(await readMetrics()),
    )
    routes.get<{ Querystring: { after?: string } }>('/dashboard/metrics', async ({ query }, reply) =>
      reply.header('cache-control', 'no-store').send(await readDashboard(Number(query.after) || 0)),
    )
    routes.get<{ Querystring: { namespace?: unknown; id?: unknown } }>('/dashboard/entry', async ({ query, id }, reply) => {
      const entries = await inspectCache(String(query.namespace), String(query.id))
      if (entries === null) return reply.code(404).send(requestError('There is no such namespace', 'NOT_FOUND', id))
      return reply.header('cache-control', 'no-store').send({ entries })
    })
    done()
  })
  // The page itself is public, because it contains no metrics, and asks for a token.
  registerDashboard(server)
}
