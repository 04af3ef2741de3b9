import { collectDefaultMetrics, type Metric, type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client'
import type { Family } from './families.js'

/** The other processes behind the same port */
export interface Siblings {
  /** Among all of them, those that were there before included */
  readonly id: number
  /** What each of the others answers; `asked` is how many there are, also where one does not answer in time. */
  ask(): Promise<{ asked: number; answers: unknown[] }>
  answerWith(answer: () => Promise<unknown>): void
}

type Exposed = MetricObjectWithValues<MetricValue<string>>

export const contentType = Registry.PROMETHEUS_CONTENT_TYPE

/** Figures in Prometheus' text format: those of all processes behind the port, each with a label of its own. */
export class Exposition {
  private readonly registry: Registry

  constructor(
    families: readonly Family[],
    private readonly siblings: Siblings | null,
  ) {
    this.registry = Registry.merge([processFigures(), registryOf(families)])
    if (siblings) this.registry.setDefaultLabels({ worker: siblings.id })
    siblings?.answerWith(() => this.registry.getMetricsAsJSON())
  }

  async text(): Promise<string> {
    if (!this.siblings) return this.registry.metrics()
    const [own, { asked, answers }] = await Promise.all([this.registry.getMetricsAsJSON(), this.siblings.ask()])
    const all = [own as unknown as Exposed[], ...(answers as Exposed[][])]
    return registryOf([...joined(all), ...workerFamilies(asked + 1, all.length)]).metrics()
  }
}

/** Process, memory, event loop, garbage: one set for the whole process, which cannot be taken back. */
function processFigures(): Registry {
  if (!known) {
    known = new Registry()
    collectDefaultMetrics({ register: known })
  }
  return known
}

let known: Registry | undefined

/** prom-client asks its metrics for their values, and takes anything that answers. */
function registryOf(families: readonly Family[]): Registry {
  const registry = new Registry()
  for (const { values, ...family } of families) {
    const metric = { ...family, get: async () => ({ ...family, aggregator: 'sum', values: values() }) }
    registry.registerMetric(metric as unknown as Metric)
  }
  return registry
}

function joined(all: readonly Exposed[][]): Family[] {
  const byName = new Map<string, Exposed>()
  for (const metric of all.flat()) {
    const same = byName.get(metric.name)
    byName.set(metric.name, same ? { ...same, values: [...same.values, ...metric.values] } : metric)
  }
  return [...byName.values()].map(({ name, help, type, values }) => ({
    ...{ name, help, type: type as unknown as Family['type'] },
    values: () => values as never,
  }))
}

function workerFamilies(running: number, answered: number): Family[] {
  const gauge = (name: string, help: string, value: number): Family => ({
    ...{ name, help, type: 'gauge' },
    values: () => [{ labels: {}, value }],
  })
  return [
    gauge('workers_running', 'Processes behind this port', running),
    gauge('workers_answered', 'Of these, those whose figures are here', answered),
  ]
}
