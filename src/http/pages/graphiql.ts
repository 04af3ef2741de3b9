import type { FastifyInstance } from 'fastify'
import { type Asset, createAsset, sendAsset } from './asset.js'
import { escapeHtml, renderPage } from './html.js'
import { starterOperations, withComment } from './starter-operations.js'

/** Serves GraphiQL at /graphiql. All its files come from this server, so it works without internet access. */
export function registerGraphiql(server: FastifyInstance): void {
  const page = createAsset(
    renderPage({
      title: 'GraphiQL',
      body,
      styles: ['/assets/graphiql/graphiql.css'],
      scripts: ['/assets/graphiql/graphiql.js', '/assets/graphiql.js'],
    }),
    'text/html; charset=utf-8',
  )
  server.get('/graphiql', (request, reply) => sendAsset(request, reply, page))
  let files: Promise<ReadonlyMap<string, Asset>> | undefined
  server.get<{ Params: { name: string } }>('/assets/graphiql/:name', async (request, reply) => {
    files ??= loadFiles()
    const file = (await files).get(request.params.name)
    return file ? sendAsset(request, reply, file) : reply.callNotFound()
  })
}

/** Subscriptions use server-sent events, because GraphiQL can send these requests with headers such as Authorization. */
const subscriptions = { subscriptionsProtocol: 'GRAPHQL_SSE', subscriptionsEndpoint: '/graphql/stream' }

const tabs = starterOperations.map((operation) => ({ query: withComment(operation) }))

const options = {
  endpoint: '/graphql',
  ...subscriptions,
  logo: '<img src="/assets/icon.svg" alt="" width="28">',
  title: '<a href="/">graphql-cached-shop</a>',
  defaultTabs: tabs,
  // Selects the first tab. Without this option, every visit adds an empty tab.
  query: tabs[0]?.query,
  // Off by default, because headers may contain tokens. Users can enable it in the settings.
  shouldPersistHeaders: false,
}

const body = `<main id="graphiql" data-options="${escapeHtml(JSON.stringify(options))}">
<div class="notice">
<p>Loading GraphiQL.</p>
<noscript><p>GraphiQL needs JavaScript, which is disabled in this browser. <a href="/">Home</a></p></noscript>
</div>
</main>`

/** Loads the files of GraphiQL: 9 MB, and therefore not loaded before the first request. */
async function loadFiles(): Promise<ReadonlyMap<string, Asset>> {
  const { js, css, editorWorkerService, jsonWorker, graphqlWorker } = await import('./graphiql-files.js')
  return new Map([
    ['graphiql.css', createAsset(css, 'text/css; charset=utf-8')],
    ['graphiql.js', createAsset(js, javascript)],
    ['editorWorkerService.js', createAsset(editorWorkerService, javascript)],
    ['json.js', createAsset(jsonWorker, javascript)],
    ['graphql.js', createAsset(graphqlWorker, javascript)],
  ])
}

const javascript = 'text/javascript; charset=utf-8'
