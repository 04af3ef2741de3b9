import type { ComponentHealth, HealthReport } from '../health/health.js'
import { escapeHtml, renderPage } from './html.js'

/** Path, name, and what is there. Those that this server does not have are left out. */
const endpoints = [
  ['/graphql', 'GraphQL', 'the API'],
  ['/graphiql', 'GraphiQL', 'an explorer that works without internet'],
  ['/schema.graphql', 'Schema', 'the SDL, for code generators and editors'],
  ['/dashboard', 'Dashboard', 'what the cache does right now'],
  ['/health', 'Health', 'database and cache, as JSON; 503 while the API cannot answer'],
  ['/metrics', 'Metrics', 'for Prometheus'],
] as const

export interface Landing {
  health: HealthReport
  /** Of this server, as the caller sees it */
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

<h2>What is here</h2>
<ul class="endpoints">
${links.map(([path, name, about]) => `<li><a href="${path}">${name}</a> <code>${path}</code><br>${about}</li>`).join('\n')}
</ul>

<h2>Try it</h2>
<p>${hasPath('/graphiql') ? 'Open <a href="/graphiql">GraphiQL</a> and press the play button, or ask from a terminal:' : 'From a terminal:'}</p>
<pre><code>${escapeHtml(curl(origin))}</code></pre>
</main>`,
  })
}

/** The same for a terminal */
export function renderLandingText({ health, origin, hasPath }: Landing): string {
  const links = endpoints.filter(([path]) => hasPath(path))
  return `graphql-cached-shop: ${health.status}, ${meaning[health.status]}

${links.map(([path, , about]) => `${path.padEnd(16)} ${about}`).join('\n')}

Try it:

${curl(origin)}
`
}

const meaning = {
  healthy: 'all is well',
  degraded: 'the cache is away, answers come from the database',
  unavailable: 'the database is away, only what is cached can be read',
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
