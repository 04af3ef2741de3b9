import type { FastifyInstance } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { printSchema } from '../../graphql/schema.js'
import type { HealthReport } from '../health/health.js'
import { createAsset, readAsset, sendAsset } from './asset.js'
import { registerGraphiql } from './graphiql.js'
import { renderLanding, renderLandingText } from './landing.js'

export interface PagesOptions {
  schema: GraphQLSchema
  checkHealth: () => Promise<HealthReport>
  /** If false, neither the explorers nor the SDL are served. */
  introspection: boolean
}

/**
 * Serves the pages for browsers, except Sandbox, which Apollo serves at /graphql (pages/sandbox.ts). The landing page / shows the
 * state, and links to all other pages.
 */
export function registerPages(server: FastifyInstance, { schema, checkHealth, introspection }: PagesOptions): void {
  server.get('/', async (request, reply) => {
    const landing = {
      health: await checkHealth(),
      origin: `${request.protocol}://${request.host}`,
      hasPath: (url: string) => server.hasRoute({ method: 'GET', url }),
    }
    reply.header('cache-control', 'no-store')
    return request.headers.accept?.includes('text/html')
      ? reply.type('text/html; charset=utf-8').send(renderLanding(landing))
      : reply.type('text/plain; charset=utf-8').send(renderLandingText(landing))
  })

  if (introspection) {
    // Browsers display text/plain, and download other types.
    const sdl = createAsset(printSchema(schema), 'text/plain; charset=utf-8')
    server.get('/schema.graphql', (request, reply) => sendAsset(request, reply, sdl))
    registerGraphiql(server)
  }
  for (const [name, contentType] of assets) {
    const asset = readAsset(name, contentType)
    server.get(`/assets/${name}`, (request, reply) => sendAsset(request, reply, asset))
  }
}

const assets = [
  ['pages.css', 'text/css; charset=utf-8'],
  ['icon.svg', 'image/svg+xml'],
  ['sandbox.js', 'text/javascript; charset=utf-8'],
] as const
