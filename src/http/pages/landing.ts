import type { ComponentHealth, HealthReport } from '../health/health.js'
import { escapeHtml, renderPage } from './html.js'

/** Path, name and description of each endpoint. The page omits paths that have no route. */
const endpoints = [
  ['/graphql', 'GraphQL', 'the API'],
  ['/graphiql', 'GraphiQL', 'an explorer that works without internet access'],
  ['/schema.graphql', 'Schema', 'the SDL, for code generators and editors'],
  ['/dashboard', 'Dashboard', 'live metrics of the cache'],
  ['/health', 'Health', 'state of the database and the cache as JSON; 503 if the API is unavailable'],
  ['/metrics', 'Metrics', 'metrics in Prometheus format'],
] as const

export interface Landing {
  health: HealthReport
  /** Origin of this server as the client sees it */
  origin: string
  hasPath: (path: string) => boolean
}

export function renderLanding({ health, origin, hasPath }: Landing): string {
  const links = endpoints.filter(([path]) => hasPath(path))
  return renderPage({
    title: 'graphql-cached-shop',
    body: `<main class="text">
<h1>graphql-cached-shop</h1>
<p>Users, products and orders of a shop, over GraphQL, through a cache that does not go stale.</p>

<h2>State</h2>
<p class="state ${health.status}"><strong>${health.status}</strong>: ${meaning[health.status]}</p>
<dl>
<dt>Database</dt><dd>${component(health.database)}</dd>
<dt>Cache (${escapeHtml(health.cache.backend)})</dt><dd>${component(health.cache)}</dd>
<dt>Running for</dt><dd>${duration(health.uptimeSeconds)}</dd>
</dl>

<h2>Endpoints</h2>
<ul class="endpoints">
${links.map(([path, name, description]) => `<li><a href="${path}">${name}</a> <code>${path}</code><br>${description}</li>`).join('\n')}
</ul>

<h2>Try it</h2>
<p>${hasPath('/graphiql') ? 'Open <a href="/graphiql">GraphiQL</a> and press the play button, or send a query from a terminal:' : 'From a terminal:'}</p>
<pre><code>${escapeHtml(curl(origin))}</code></pre>
</main>`,
  })
}

/** The landing page as plain text, for terminals */
export function renderLandingText({ health, origin, hasPath }: Landing): string {
  const links = endpoints.filter(([path]) => hasPath(path))
  return `graphql-cached-shop: ${health.status}, ${meaning[health.status]}

${links.map(([path, , description]) => `${path.padEnd(16)} ${description}`).join('\n')}

Try it:

${curl(origin)}
`
}

const meaning = {
  healthy: 'all components work',
  degraded: 'the cache is unavailable; answers come from the database',
  unavailable: 'the database is unavailable; only cached data can be read',
}

function component(health: ComponentHealth): string {
  return health.state === 'up' ? `up, answers in ${health.latencyMs} ms` : `down: ${escapeHtml(health.reason)}`
}

function duration(seconds: number): string {
  const [amount, unit] = ([
    [Math.floor(seconds / 86_400), 'day'],
    [Math.floor(seconds / 3_600), 'hour'],
    [Math.floor(seconds / 60), 'minute'],
    [seconds, 'second'],
  ].find(([count]) => count !== 0) as [number, string] | undefined) ?? [0, 'second']
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`
}

function curl(origin: string): string {
  return `curl -s ${origin}/graphql -H 'content-type: application/json' \\
  -d '{"query":"{ order(id: \\"order_1\\") { id total user { name } products { name price } } }"}'`
}
