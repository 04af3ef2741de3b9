import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { FastifyInstance } from 'fastify'
import { type Asset, createAsset, readAsset, sendAsset } from './asset.js'
import { renderPage } from './html.js'

/**
 * Serves the dashboard page and its assets. The page reads its data from /dashboard/metrics, and loads nothing from other servers.
 */
export function registerDashboard(server: FastifyInstance): void {
  const page = createAsset(html, 'text/html; charset=utf-8')
  serve(server, '/dashboard', page)
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

const css = 'text/css; charset=utf-8'
const javascript = 'text/javascript; charset=utf-8'
const scripts = ['dashboard.js', 'dashboard-charts.js', 'dashboard-text.js', 'dashboard-admin.js', 'dashboard-format.js']

const html = renderPage({
  title: 'Dashboard',
  styles: ['/assets/uplot.css', '/assets/dashboard.css'],
  scripts: ['/assets/uplot.js'],
  body: `<script type="module" src="/assets/dashboard.js"></script>
<header>
<h1>Dashboard</h1>
<p id="state" class="state" role="status">Loading</p>
<p id="scope" class="quiet"></p>
</header>
<main>
<noscript><p class="error">This page needs JavaScript. The same metrics as text: <a href="/metrics">/metrics</a></p></noscript>
<p id="error" class="error" role="alert" hidden></p>
<section aria-label="The last 10 seconds">
<dl id="tiles" class="tiles"></dl>
</section>
<section aria-labelledby="history">
<div class="row">
<h2 id="history">History</h2>
<fieldset class="range">
<legend class="hidden">Time range</legend>
<label><input type="radio" name="range" value="600" checked> 10 minutes</label>
<label><input type="radio" name="range" value="3600"> 1 hour</label>
</fieldset>
</div>
<div id="charts" class="charts"></div>
</section>
<section aria-labelledby="namespaces">
<div class="row">
<h2 id="namespaces">Namespaces</h2>
<button type="button" id="warm-up">Warm up</button>
</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="namespaces">
<table id="table">
<thead>
<tr><th scope="col">Namespace</th><th scope="col">Hit rate</th><th scope="col">Lookups/s</th><th scope="col">Near</th>
<th scope="col">Far</th><th scope="col">Misses</th><th scope="col">Stale</th><th scope="col">Invalidations/s</th>
<th scope="col">Errors</th><th scope="col">Hit rate, last hour</th><th scope="col"><span class="hidden">Flush</span></th></tr>
</thead>
<tbody></tbody>
</table>
</div>
<p id="result" class="quiet" role="status"></p>
<details>
<summary>Administrator token</summary>
<form id="access">
<p><label for="token">Sent as a bearer token with every request of this page. Stored until this tab is closed.</label></p>
<p class="row"><input id="token" type="password" autocomplete="off" spellcheck="false"><button>Use token</button></p>
</form>
</details>
</section>
</main>
<dialog id="confirm" aria-labelledby="question">
<form method="dialog">
<h2 id="question"></h2>
<p id="consequence"></p>
<p class="row"><button value="cancel" autofocus>Cancel</button><button value="confirm" class="strong" id="confirm-button"></button></p>
</form>
</dialog>`,
})
