import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { FastifyInstance } from 'fastify'
import { type Asset, createAsset, readAsset, sendAsset } from './asset.js'
import { dashboardValues } from './dashboard-values.js'
import { errorHints } from './error-hints.js'
import { escapeHtml, renderPage } from './html.js'

/**
 * Serves the dashboard page and its assets. The page reads its data from /dashboard/metrics, and loads nothing from other servers.
 * It links to the explorer if that is served, so the explorer must be registered before.
 */
export function registerDashboard(server: FastifyInstance): void {
  const page = render(server.hasRoute({ method: 'GET', url: explorerPath }))
  serve(server, '/dashboard', createAsset(page, 'text/html; charset=utf-8'))
  serve(server, '/assets/dashboard.css', readAsset('dashboard.css', css))
  for (const name of scripts) serve(server, `/assets/${name}`, readAsset(name, javascript))
  serve(server, '/assets/uplot.js', fromPackage('uplot/dist/uPlot.iife.min.js', javascript))
  serve(server, '/assets/uplot.css', fromPackage('uplot/dist/uPlot.min.css', css))
}

function serve(server: FastifyInstance, path: string, asset: Asset): void {
  server.get(path, (request, reply) => sendAsset(request, reply, asset))
}

function fromPackage(path: string, contentType: string): Asset {
  return createAsset(readFileSync(createRequire(import.meta.url).resolve(path), 'utf8'), contentType)
}

const explorerPath = '/graphiql'
const css = 'text/css; charset=utf-8'
const javascript = 'text/javascript; charset=utf-8'
const scripts = [
  'dashboard.js',
  'dashboard-access.js',
  'dashboard-actions.js',
  'dashboard-chart-list.js',
  'dashboard-charts.js',
  'dashboard-dom.js',
  'dashboard-entries.js',
  'dashboard-errors.js',
  'dashboard-format.js',
  'dashboard-hot-keys.js',
  'dashboard-namespaces.js',
  'dashboard-operations.js',
  'dashboard-plot.js',
  'dashboard-table.js',
  'dashboard-tiles.js',
]

function render(hasExplorer: boolean): string {
  return renderPage({
    title: 'Dashboard',
    styles: ['/assets/uplot.css', '/assets/dashboard.css'],
    scripts: ['/assets/uplot.js'],
    body: `<script type="module" src="/assets/dashboard.js"></script>
<nav class="bar" aria-label="Pages of this server">
<a class="home" href="/"><img src="/assets/icon.svg" alt="" width="22" height="22">graphql-cached-shop</a>
${hasExplorer ? `<a href="${explorerPath}">GraphiQL</a>` : ''}
<a href="/metrics" id="metrics">Metrics</a>
<a href="/health">Health</a>
<button type="button" id="forget" class="plain" hidden>Forget the token</button>
</nav>
<header>
<h1 tabindex="-1">Dashboard</h1>
<p id="state" class="state" role="status">Loading</p>
<p id="scope" class="quiet"></p>
</header>
<main>
<noscript><p class="error">This page needs JavaScript. The same metrics as text: <a href="/metrics">/metrics</a></p></noscript>
<p id="error" class="error" role="alert" hidden></p>
${login}
<div id="data" hidden>
<section aria-label="The last 10 seconds">
<dl id="tiles" class="tiles"></dl>
</section>
<section aria-labelledby="history">
<div class="row">
<h2 id="history">History</h2>
<fieldset class="range">
<legend class="hidden">Time range</legend>
<label><input type="radio" name="range" value="600" checked><span>10 minutes</span></label>
<label><input type="radio" name="range" value="3600"><span>1 hour</span></label>
</fieldset>
</div>
<div id="charts" class="charts"></div>
</section>
<section aria-labelledby="operations-title">
<div class="row">
<h2 id="operations-title">Operations</h2>
<p class="quiet" id="operations-period"></p>
</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="operations-title">
<table id="operations" class="cards"><thead><tr></tr></thead><tbody></tbody></table>
</div>
<p><button type="button" id="all-operations" aria-expanded="false" hidden></button></p>
</section>
<section aria-labelledby="errors-title">
<div class="row">
<h2 id="errors-title">Errors</h2>
<p class="quiet">What clients should do about them: the file <code>docs/errors.md</code> of this project</p>
</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="errors-title">
<table id="errors" class="cards" data-hints="${escapeHtml(JSON.stringify(errorHints))}"><thead><tr></tr></thead><tbody></tbody></table>
</div>
<p id="no-errors" class="quiet"></p>
</section>
<section aria-labelledby="namespaces-title">
<div class="row">
<h2 id="namespaces-title">Namespaces</h2>
<button type="button" id="warm-up">Warm up</button>
</div>
<p id="result" role="status"></p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="namespaces-title">
<table id="namespaces" class="cards"><thead><tr></tr></thead><tbody></tbody></table>
</div>
</section>
<section aria-labelledby="hot-keys-title">
<div class="row">
<h2 id="hot-keys-title">Hot keys</h2>
<p class="quiet" id="hot-keys-period"></p>
</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="hot-keys-title">
<table id="hot-keys" class="cards"><thead><tr></tr></thead><tbody></tbody></table>
</div>
</section>
<section aria-labelledby="entries-title">
<div class="row">
<h2 id="entries-title">Entries</h2>
<p class="quiet">In the memory of the process that answers (near) and in the cache server (far)</p>
</div>
<form id="entries" class="fields">
<p><label for="namespace">Namespace</label><select id="namespace"></select></p>
<p><label for="entry-id">Id, or name of a list</label><input id="entry-id" type="text" autocomplete="off" autocapitalize="off" spellcheck="false" required placeholder="product_1, category:Books, all"></p>
<p><button class="main">Look up</button></p>
</form>
<div id="entries-found" aria-live="polite"></div>
</section>
<footer>
<details>
<summary>What the values mean</summary>
<dl>
${Object.entries(dashboardValues).map(meaningOf).join('\n')}
</dl>
</details>
<p class="quiet">More in the files <code>docs/metrics.md</code> and <code>docs/operations.md</code> of this project</p>
</footer>
</div>
</main>
<dialog id="confirm" aria-labelledby="question" aria-describedby="consequence">
<form method="dialog">
<h2 id="question"></h2>
<p id="consequence"></p>
<p class="answers"><button value="cancel" autofocus>Cancel</button><button value="confirm" class="strong" id="confirm-button"></button></p>
</form>
</dialog>`,
  })
}

function meaningOf([name, meaning]: [string, string]): string {
  return `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(meaning)}.</dd>`
}

const login = `<section id="access" class="login" aria-labelledby="access-title" hidden>
<h2 id="access-title">Administrator token</h2>
<p>The metrics are for administrators. The token is sent with the requests of this page, and kept until this tab is closed.</p>
<form>
<label for="token">Token</label>
<p class="row"><input id="token" type="password" autocomplete="off" spellcheck="false" required aria-describedby="access-problem"><button class="main">Show the metrics</button></p>
<p id="access-problem" class="problem" role="alert"></p>
</form>
<p class="quiet">With <code>AUTH_JWT_SECRET</code>, <code>npm run token -- --role admin</code> makes a token for development.</p>
</section>`
