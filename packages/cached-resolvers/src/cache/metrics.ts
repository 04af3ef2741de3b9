import type { Cache } from './cache.js'
import type { CounterName, Counts } from './counters.js'

/** A Prometheus metric and a function that returns its current values */
export interface CacheMetric {
  name: string
  help: string
  type: 'counter' | 'gauge'
  values: () => { labels: Record<string, string>; value: number }[]
}

type CacheMetricsSource = Pick<Cache, 'ownCounts' | 'trusted' | 'answering' | 'nearBytes' | 'fetchLoad'>

/** Returns the counters of this process for each namespace, and gauges of the state of its cache. */
export function cacheMetrics(cache: CacheMetricsSource, namespaces: readonly string[]): CacheMetric[] {
  const perNamespace = (
    name: string,
    help: string,
    valuesOf: (counts: Counts) => [Record<string, string>, number][],
  ): CacheMetric => ({
    name,
    help,
    type: 'counter',
    values: () =>
      namespaces.flatMap((namespace) =>
        valuesOf(cache.ownCounts({ name: namespace })).map(([labels, value]) => ({ labels: { namespace, ...labels }, value })),
      ),
  })
  const gauge = (name: string, help: string, value: () => number): CacheMetric => ({
    name,
    help,
    type: 'gauge',
    values: () => [{ labels: {}, value: value() }],
  })
  return [
    perNamespace(
      'cache_hits_total',
      'Lookups that the cache answered, from the memory of the process (near) or the store (far)',
      ({ hits, nearHits }) => [
        [{ store: 'near' }, nearHits],
        [{ store: 'far' }, hits - nearHits],
      ],
    ),
    ...counters.map(([name, counter, help]) => perNamespace(name, help, (counts) => [[{}, counts[counter]]])),
    perNamespace(
      'cache_errors_total',
      'Commands that the store did not answer (unavailable) or answered with an error (refused), damaged entries, failed refills',
      (counts) => errorKinds.map(([kind, counter]) => [{ kind }, counts[counter]]),
    ),
    gauge(
      'cache_trusted',
      '1 while entries of the store are served, 0 while the store is distrusted and all reads go to the database',
      () => Number(cache.trusted),
    ),
    gauge('cache_breaker_open', '1 while no commands are sent to the store, because it did not answer', () =>
      Number(!cache.answering),
    ),
    gauge('cache_near_bytes', 'Memory of the near store, estimated', () => cache.nearBytes),
    gauge('cache_fetches_running', 'Fetches of misses from the database that are running', () => cache.fetchLoad.running),
    gauge('cache_fetches_waiting', 'Fetches that wait for a running one to end', () => cache.fetchLoad.waiting),
  ]
}

/** The part of a prom-client Registry that is used here */
interface MetricRegistry {
  registerMetric(metric: never): void
}

/** Adds the metrics of a cache to a prom-client registry. */
export function registerMetrics(registry: MetricRegistry, cache: CacheMetricsSource, namespaces: readonly string[]): void {
  for (const { name, help, type, values } of cacheMetrics(cache, namespaces)) {
    const get = async () => ({ name, help, type, values: values(), aggregator: 'sum' })
    // The counters belong to the cache; a reset of the registry must not change them.
    registry.registerMetric({ name, get, reset: () => {} } as never)
  }
}

const counters: readonly [string, CounterName, string][] = [
  ['cache_misses_total', 'misses', 'Lookups that the cache could not answer'],
  ['cache_negative_hits_total', 'negativeHits', 'Of the hits, those of a negative entry: there is no such row'],
  ['cache_stale_hits_total', 'staleHits', 'Of the hits, those with a value past its soft TTL'],
  ['cache_coalesced_misses_total', 'coalesced', 'Of the misses, those answered by a fetch already running in the process'],
  ['cache_lease_waits_total', 'leaseWaits', 'Of the misses, those that waited for the fetch of another process'],
  ['cache_shed_fetches_total', 'shed', 'Fetches refused because too many were running and waiting'],
  ['cache_fills_total', 'fills', 'Values written after a miss'],
  ['cache_invalidations_total', 'invalidations', 'Keys removed because of a change or a flush'],
  ['cache_audited_entries_total', 'audited', 'Entries compared with the database'],
  ['cache_wrong_entries_total', 'wrong', 'Of these, those that differed'],
]

const errorKinds: readonly [string, CounterName][] = [
  ['unavailable', 'unavailable'],
  ['refused', 'refused'],
  ['corrupt', 'corrupt'],
  ['failed_refill', 'failedRefills'],
]
