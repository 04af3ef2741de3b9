import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { readMetrics, type Samples } from '../helpers/prometheus.js'
import { readPromql } from '../helpers/promql.js'

interface Alert {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}
interface Panel {
  id: number
  type: string
  title: string
  targets?: { expr: string }[]
  gridPos: { x: number; y: number; w: number; h: number }
}

const alerts: Alert[] = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')).groups.flatMap(
  ({ rules }: { rules: Alert[] }) => rules,
)
const dashboard = JSON.parse(readFileSync('deploy/grafana/dashboard.json', 'utf8'))
const panels: Panel[] = dashboard.panels
const shown = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => [title, expr.replaceAll('$__rate_interval', '5m')] as const),
)
const documented = [...readFileSync('docs/metrics.md', 'utf8').matchAll(/^```promql\n(.*?)^```/gms)]
  .flatMap(([, block = '']) => block.split('\n'))
  .filter((line) => line !== '' && !line.startsWith('#'))
/** Labels added by Prometheus, or with several workers */
const added = ['job', 'instance', 'worker']
const ofSeveralWorkers = ['workers_running', 'workers_answered']

describe('the alerts and dashboards for Prometheus and Grafana', () => {
  let app: TestApp
  let samples: Samples
  beforeAll(async () => {
    app = await startTestApp()
    await app.query('{ product(id: "product_1") { name } }')
    samples = await readMetrics(app.origin)
  })
  afterAll(() => app.stop())

  test.each([
    ...alerts.map(({ alert, expr }) => [alert, expr] as const),
    ...shown,
    ...documented.map((expr) => ['docs', expr] as const),
  ])('%s: the metrics and labels of %s exist', (_, expr) => {
    const { selectors, groupings } = readPromql(expr)
    expect(selectors).not.toEqual([])
    for (const { metric, labels } of selectors.filter((selector) => !ofSeveralWorkers.includes(selector.metric))) {
      const series = samples.filter(({ name }) => name === metric)
      expect(series, metric).not.toEqual([])
      const known = [...added, ...Object.keys(series[0]?.labels ?? {})]
      expect(known, metric).toEqual(expect.arrayContaining([...labels, ...groupings]))
    }
  })

  test('alerts have a severity, and docs/operations.md explains what to do', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length)
    const operations = readFileSync('docs/operations.md', 'utf8')
    expect([...operations.matchAll(/^### (Shop\w+)$/gm)].map(([, name]) => name)).toEqual(alerts.map(({ alert }) => alert))
    for (const { labels, annotations } of alerts) {
      expect(labels.severity).toMatch(/^(warning|critical)$/)
      expect(annotations.summary && annotations.description).toBeTruthy()
    }
  })

  test('panels have unique ids and do not overlap', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
  })
})
