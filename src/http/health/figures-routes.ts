import type { FastifyInstance } from 'fastify'
import { administratorsOnly } from '../authentication.js'
import { registerDashboard } from '../pages/dashboard.js'

export interface FiguresRoutes {
  /** Prometheus' text format */
  readMetrics: () => Promise<string>
  metricsContentType: string
  /** The page asks again and again for what came after what it has. */
  readDashboard: (after: number) => Promise<unknown>
}

/** /metrics, and /dashboard with its figures, which are for administrators. */
export function registerFigures(server: FastifyInstance, options: FiguresRoutes): void {
  const { readMetrics, metricsContentType, readDashboard } = options
  void server.register((its, _, done) => {
    its.addHook('onRequest', administratorsOnly)
    its.get('/metrics', async (_, reply) =>
      reply
        .header('cache-control', 'no-store')
        .type(metricsContentType)
        .send(await readMetrics()),
    )
    its.get<{ Querystring: { after?: string } }>('/dashboard/figures', async ({ query }, reply) =>
      reply.header('cache-control', 'no-store').send(await readDashboard(Number(query.after) || 0)),
    )
    done()
  })
  // The page holds no figures, and asks for a token.
  registerDashboard(server)
}
