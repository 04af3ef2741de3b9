import type { FastifyInstance } from 'fastify'
import { type Asset, createAsset, sendAsset } from './asset.js'
import { escapeHtml, renderPage } from './html.js'
import { commented, starterOperations } from './starter-operations.js'

/** GraphiQL at /graphiql. All of it comes from this server, so it works without internet. */
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

/** Where subscriptions go: server-sent events, since headers (Authorization) can be sent along as with any request. */
const subscriptions = { subscriptionsProtocol: 'GRAPHQL_SSE', subscriptionsEndpoint: '/graphql/stream' }

const tabs = starterOperations.map((operation) => ({ query: commented(operation) }))

const options = {
  endpoint: '/graphql',
  ...subscriptions,
  logo: '<img src="/assets/icon.svg" alt="" width="28">',
  title: '<a href="/">graphql-cached-shop</a>',
  defaultTabs: tabs,
  // The tab to come back to; without it, every further visit adds an empty one.
  query: tabs[0]?.query,
  // Those who want to find their token here again next time can say so in the settings.
  shouldPersistHeaders: false,
}

const body = `<main id="graphiql" data-options="${escapeHtml(JSON.stringify(options))}">
<div class="notice">
<p>Loading GraphiQL.</p>
<noscript><p>It needs JavaScript, which is off in this browser. <a href="/">Home</a></p></noscript>
</div>
</main>`

/** Nine megabytes, so not before somebody wants them. */
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
