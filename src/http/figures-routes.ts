import type { FastifyInstance } from 'fastify'
import { registerDashboard } from './pages/dashboard.js'

export interface FiguresRoutes {
  /** Prometheus' text format */
  readMetrics: () => Promise<string>
  metricsContentType: string
  /** The page asks again and again for what came after what it has. */
  readDashboard: (after: number) => Promise<unknown>
}

/** /metrics, and /dashboard with its figures. Whoever reaches the server may read them: a hook here is the place to restrict that. */
export function registerFigures(server: FastifyInstance, options: FiguresRoutes): void {
  const { readMetrics, metricsContentType, readDashboard } = options
  void server.register((its, _, done) => {
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
  // The page holds no figures; it can ask for a token first.
  registerDashboard(server)
}
