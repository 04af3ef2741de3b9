import { cacheMetrics } from 'cached-resolvers'
import type { Histogram } from './histogram.js'
import type { ProcessMetrics } from './process-metrics.js'
import type { RequestOutcome } from './request-metrics.js'

/** A metric and all its samples */
export interface MetricFamily {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  values: () => Sample[]
}

interface Sample {
  labels: Record<string, string | number>
  value: number
  /** Overrides the name of the family, for the series of a histogram */
  metricName?: string
}

/** The metrics listed in docs/metrics.md. Names and units follow the recommendations of Prometheus. */
export function metricFamilies(metrics: ProcessMetrics): MetricFamily[] {
  return [...requestFamilies(metrics), ...subscriptionFamilies(metrics), ...cacheFamilies(metrics), ...databaseFamilies(metrics)]
}

function requestFamilies({ requests, errors, points }: ProcessMetrics): MetricFamily[] {
  const operations = () => [...requests.byOperation()]
  return [
    counter('graphql_requests_total', 'GraphQL requests answered', () =>
      operations().flatMap(([operation, { outcomes }]) =>
        outcomeLabels.map(([outcome, labels]) => ({ labels: { operation, ...labels }, value: outcomes[outcome] })),
      ),
    ),
    histogram('graphql_request_duration_seconds', 'Time from the request headers to the end of the answer', () =>
      operations().map(([operation, { durations }]) => [{ operation }, durations]),
    ),
    counter('graphql_errors_total', 'Answers with an error of this code, including events sent to subscribers', () =>
      [...errors.byCode()].map(([code, value]) => ({ labels: { code }, value })),
    ),
    counter('graphql_cost_points_total', 'Points charged to client budgets; 0 if budgets are disabled', () => [
      { labels: {}, value: points() },
    ]),
  ]
}

function subscriptionFamilies({ subscriptions }: ProcessMetrics): MetricFamily[] {
  return [
    gauge('graphql_subscription_connections', 'Open WebSockets and event streams', () => subscriptions.connections),
    gauge('graphql_subscriptions_open', 'Open subscriptions', () => subscriptions.open),
    counter('graphql_subscription_events_total', 'Events sent to subscribers', () =>
      Object.entries(subscriptions.events).map(([outcome, value]) => ({ labels: { outcome }, value })),
    ),
  ]
}

/** `way` is deprecated (docs/metrics.md), but older dashboards query it instead of `path`. */
const outcomeLabels: readonly [RequestOutcome, { outcome: string; path: string; way: string }][] = [
  ['compiled', { outcome: 'ok', path: 'compiled', way: 'lane' }],
  ['ok', { outcome: 'ok', path: 'standard', way: 'ordinary' }],
  ['errors', { outcome: 'errors', path: 'standard', way: 'ordinary' }],
  ['refused', { outcome: 'refused', path: 'standard', way: 'ordinary' }],
]

function cacheFamilies({ cache, namespaces, maxFetches }: ProcessMetrics): MetricFamily[] {
  return [
    ...cacheMetrics(cache, namespaces),
    gauge('cache_fetches_running_max', 'Maximum number of concurrent fetches (CACHE_MAX_FETCHES)', () => maxFetches),
  ]
}

function databaseFamilies({ statements, invalidationLag, backlogSeconds }: ProcessMetrics): MetricFamily[] {
  return [
    histogram('database_statement_duration_seconds', 'Duration of SQL statements, including the wait for a connection', () => [
      [{}, statements.durations],
    ]),
    gauge('database_statements_running', 'SQL statements being executed, one per connection', () => statements.running),
    gauge(
      'database_statements_waiting',
      'SQL statements queued behind others, for a connection or on one',
      () => statements.waiting,
    ),
    gauge('database_connections_max', 'Size of the connection pool (DATABASE_POOL)', () => statements.maxConnections),
    histogram('invalidation_lag_seconds', 'Time from the write of a change to its invalidation in the cache', () => [
      [{}, invalidationLag],
    ]),
    gauge(
      'invalidation_backlog_seconds',
      'Age of the oldest change that could not be delivered to the cache; 0 if there is none',
      backlogSeconds,
    ),
  ]
}

function counter(name: string, help: string, values: () => Sample[]): MetricFamily {
  return { name, help, type: 'counter', values }
}

function gauge(name: string, help: string, value: () => number): MetricFamily {
  return { name, help, type: 'gauge', values: () => [{ labels: {}, value: value() }] }
}

function histogram(name: string, help: string, all: () => [Sample['labels'], Histogram][]): MetricFamily {
  const values = () => all().flatMap(([labels, histogram]) => samplesOf(name, labels, histogram))
  return { name, help, type: 'histogram', values }
}

function samplesOf(name: string, labels: Sample['labels'], { boundsSeconds, counts, sumSeconds }: Histogram): Sample[] {
  let count = 0
  const buckets = counts.map((inBucket, bucket) => {
    count += inBucket
    return { metricName: `${name}_bucket`, labels: { ...labels, le: boundsSeconds[bucket] ?? '+Inf' }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
