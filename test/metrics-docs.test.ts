import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { dashboardValues } from '../src/http/pages/dashboard-values.js'
import { startTestApp } from './helpers/app.js'

/** The name and type of each metric in the output */
function exposed(text: string): string[] {
  return [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => `${name} ${type}`)
}

test('docs/metrics.md lists the metrics of /metrics, and no others', async () => {
  const app = await startTestApp()
  const text = await (await fetch(`${app.origin}/metrics`)).text()
  await app.stop()
  const own = exposed(text).filter((metric) => !/^(process|nodejs)_/.test(metric))
  const rows = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  )
  expect(rows.filter((row) => !row.startsWith('workers_'))).toEqual(expect.arrayContaining(own))
  expect(rows).toHaveLength(own.length + 2)
  expect(exposed(text)).toEqual(
    expect.arrayContaining(['nodejs_eventloop_lag_p99_seconds gauge', 'process_cpu_seconds_total counter']),
  )
})

test('docs/metrics.md explains the values of the dashboard as the page itself does', () => {
  const [, section = ''] = readFileSync('docs/metrics.md', 'utf8').split('## Values of the dashboard')
  const rows = [...section.matchAll(/^\| (.+?) \| (.+) \|$/gm)].slice(1)
  const withoutLinks = (text = '') => text.replaceAll(/\[(.+?)\]\(.+?\)/g, '$1')
  expect(rows.slice(1).map(([, name, meaning]) => [name, withoutLinks(meaning)])).toEqual(Object.entries(dashboardValues))
})
