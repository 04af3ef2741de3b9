import { collectDefaultMetrics, type Metric, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client'
import type { MetricFamily } from './metric-families.js'

/** The other processes behind the same port */
export interface SiblingMetrics {
  /** Unique among all workers, including those that have ended */
  readonly id: number
  /**
   * Returns the answers of the other processes. `asked` counts all other processes, including those that did not answer in time.
   */
  collect(): Promise<{ asked: number; answers: unknown[] }>
  replyWith(answer: () => Promise<unknown>): void
}

type MetricJson = MetricObjectWithValues<MetricValue<string>>

export const contentType = Registry.PROMETHEUS_CONTENT_TYPE

/**
 * The metrics of all processes behind the port, in Prometheus' text format. Each process has a separate value of the label
 * `worker`.
 */
export class Exposition {
  private readonly registry: Registry

  constructor(
    families: readonly MetricFamily[],
    private readonly siblings: SiblingMetrics | null,
  ) {
    this.registry = Registry.merge([defaultMetrics(), registryOf(families)])
    if (siblings) this.registry.setDefaultLabels({ worker: siblings.id })
    siblings?.replyWith(() => this.registry.getMetricsAsJSON())
  }

  async text(): Promise<string> {
    if (!this.siblings) return this.registry.metrics()
    const [own, { asked, answers }] = await Promise.all([this.registry.getMetricsAsJSON(), this.siblings.collect()])
    const all = [own as unknown as MetricJson[], ...(answers as MetricJson[][])]
    return registryOf([...mergeByName(all), ...workerFamilies(asked + 1, all.length)]).metrics()
  }
}

/**
 * Returns the metrics of CPU, memory, event loop and garbage collection. prom-client can start collecting them only once per
 * process.
 */
function defaultMetrics(): Registry {
  if (!defaultRegistry) {
    defaultRegistry = new Registry()
    collectDefaultMetrics({ register: defaultRegistry })
  }
  return defaultRegistry
}

let defaultRegistry: Registry | undefined

/** prom-client calls `get` of each metric, and accepts any object that has it. */
function registryOf(families: readonly MetricFamily[]): Registry {
  const registry = new Registry()
  for (const { values, ...family } of families) {
    const metric = { ...family, get: async () => ({ ...family, aggregator: 'sum', values: values() }) }
    registry.registerMetric(metric as unknown as Metric)
  }
  return registry
}

function mergeByName(all: readonly MetricJson[][]): MetricFamily[] {
  const byName = new Map<string, MetricJson>()
  for (const metric of all.flat()) {
    const merged = byName.get(metric.name)
    byName.set(metric.name, merged ? { ...merged, values: [...merged.values, ...metric.values] } : metric)
  }
  return [...byName.values()].map(({ name, help, type, values }) => ({
    name,
    help,
    type: type as unknown as MetricFamily['type'],
    values: () => values as never,
  }))
}

function workerFamilies(running: number, answered: number): MetricFamily[] {
  const gauge = (name: string, help: string, value: number): MetricFamily => ({
    name,
    help,
    type: 'gauge',
    values: () => [{ labels: {}, value }],
  })
  return [
    gauge('workers_running', 'Processes that listen on this port', running),
    gauge('workers_answered', 'Processes whose metrics are included in this response', answered),
  ]
}
