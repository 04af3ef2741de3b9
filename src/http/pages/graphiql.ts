import type { FastifyInstance } from 'fastify'
import { type Asset, createAsset, readAsset, sendAsset } from './asset.js'
import { addHistoryPlugin } from './graphiql-history.js'
import { escapeHtml, renderPage } from './html.js'
import { starterOperations, starterSubscription, withComment } from './starter-operations.js'

/** Serves GraphiQL at /graphiql. All its files come from this server, so it works without internet access. */
export function registerGraphiql(server: FastifyInstance): void {
  const page = createAsset(
    renderPage({
      title: 'GraphiQL',
      body,
      styles: ['/assets/graphiql/graphiql.css', '/assets/graphiql.css'],
      scripts: ['/assets/graphiql/graphiql.js'],
    }),
    'text/html; charset=utf-8',
  )
  server.get('/graphiql', (request, reply) => sendAsset(request, reply, page))
  for (const [name, contentType] of ownFiles) {
    const asset = readAsset(name, contentType)
    server.get(`/assets/${name}`, (request, reply) => sendAsset(request, reply, asset))
  }
  let files: Promise<ReadonlyMap<string, Asset>> | undefined
  server.get<{ Params: { name: string } }>('/assets/graphiql/:name', async (request, reply) => {
    files ??= loadFiles()
    const file = (await files).get(request.params.name)
    return file ? sendAsset(request, reply, file) : reply.callNotFound()
  })
}

const tabs = [...starterOperations, starterSubscription].map((operation) => ({ query: withComment(operation) }))

/** assets/graphiql.js adds the functions. */
const options = {
  // The header of the page has the title.
  logo: '',
  title: '',
  defaultTabs: tabs,
  // Selects the first tab. Without this option, every visit adds an empty tab.
  query: tabs[0]?.query,
  // Headers may contain tokens.
  shouldPersistHeaders: false,
}

const body = `<div class="explorer">
<header>
<a class="title" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22">graphql-cached-shop</a>
<a href="/dashboard">Dashboard</a>
<label>Subscriptions by <select id="transport" autocomplete="off">
<option value="event-stream">server-sent events</option>
<option value="web-socket">WebSocket</option>
</select></label>
</header>
<main id="graphiql" data-options="${escapeHtml(JSON.stringify(options))}">
<div class="notice">
<p>Loading GraphiQL.</p>
<noscript><p>GraphiQL needs JavaScript, which is disabled in this browser. <a href="/">Home</a></p></noscript>
</div>
</main>
<footer>
<p id="status" role="status">Status, time, cost and cache lookups of an operation are shown here when it has run.</p>
<details id="sources" hidden><summary>Where the fields came from</summary><ul></ul></details>
</footer>
<script type="module" src="/assets/graphiql.js"></script>
</div>`

/** Loads the files of GraphiQL: 9 MB, and therefore not loaded before the first request. */
async function loadFiles(): Promise<ReadonlyMap<string, Asset>> {
  const { js, css, editorWorkerService, jsonWorker, graphqlWorker } = await import('./graphiql-files.js')
  return new Map([
    ['graphiql.css', createAsset(css, 'text/css; charset=utf-8')],
    ['graphiql.js', createAsset(addHistoryPlugin(js), javascript)],
    ['editorWorkerService.js', createAsset(editorWorkerService, javascript)],
    ['json.js', createAsset(jsonWorker, javascript)],
    ['graphql.js', createAsset(graphqlWorker, javascript)],
  ])
}

const javascript = 'text/javascript; charset=utf-8'
const ownFiles = [
  ['graphiql.css', 'text/css; charset=utf-8'],
  ['graphiql.js', javascript],
  ['graphiql-requests.js', javascript],
  ['graphiql-status.js', javascript],
  ['graphiql-storage.js', javascript],
  ['graphiql-subscriptions.js', javascript],
  ['graphiql-text.js', javascript],
] as const
