import { cacheMetrics } from 'cached-resolvers'
import type { Distribution } from './distribution.js'
import type { Figures } from './figures.js'
import type { Ending } from './request-figures.js'

/** Figures of one name, as Prometheus knows them */
export interface Family {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  values: () => Value[]
}

interface Value {
  labels: Record<string, string | number>
  value: number
  /** Where it is not that of the family: of the parts of a histogram */
  metricName?: string
}

/** What docs/metrics.md lists. Names and units as Prometheus recommends. */
export function families(figures: Figures): Family[] {
  return [...requestFamilies(figures), ...subscriptionFamilies(figures), ...cacheFamilies(figures), ...databaseFamilies(figures)]
}

function requestFamilies({ requests, errors, points }: Figures): Family[] {
  const operations = () => [...requests.byOperation()]
  return [
    counter('graphql_requests_total', 'GraphQL requests that were answered', () =>
      operations().flatMap(([operation, { endings }]) =>
        endingLabels.map(([ending, labels]) => ({ labels: { operation, ...labels }, value: endings[ending] })),
      ),
    ),
    histogram('graphql_request_duration_seconds', 'From the head of the request to the end of the answer', () =>
      operations().map(([operation, { durations }]) => [{ operation }, durations]),
    ),
    counter('graphql_errors_total', 'Answers with an error of that code, those to subscribers included', () =>
      [...errors.byCode()].map(([code, value]) => ({ labels: { code }, value })),
    ),
    counter('graphql_cost_points_total', 'Points that the budgets of clients were charged; 0 where they have none', () => [
      { labels: {}, value: points() },
    ]),
  ]
}

function subscriptionFamilies({ subscriptions }: Figures): Family[] {
  return [
    gauge('graphql_subscription_connections', 'WebSockets and event streams that are open', () => subscriptions.connections),
    gauge('graphql_subscriptions_open', 'Subscriptions that are open', () => subscriptions.open),
    counter('graphql_subscription_events_total', 'What subscribers were sent', () =>
      Object.entries(subscriptions.events).map(([outcome, value]) => ({ labels: { outcome }, value })),
    ),
  ]
}

const endingLabels: readonly [Ending, { outcome: string; way: string }][] = [
  ['lane', { outcome: 'ok', way: 'lane' }],
  ['ok', { outcome: 'ok', way: 'ordinary' }],
  ['errors', { outcome: 'errors', way: 'ordinary' }],
  ['refused', { outcome: 'refused', way: 'ordinary' }],
]

function cacheFamilies({ cache, namespaces, maxFetches }: Figures): Family[] {
  return [
    ...cacheMetrics(cache, namespaces),
    gauge('cache_fetches_running_max', 'As many may be under way (CACHE_MAX_FETCHES)', () => maxFetches),
  ]
}

function databaseFamilies({ statements, invalidationLag, backlogSeconds }: Figures): Family[] {
  return [
    histogram('database_statement_duration_seconds', 'SQL statements, the wait for a connection included', () => [
      [{}, statements.durations],
    ]),
    gauge('database_statements_running', 'SQL statements under way, one a connection', () => statements.running),
    gauge('database_statements_waiting', 'SQL statements behind others, for a connection or on one', () => statements.waiting),
    gauge('database_connections_max', 'Size of the pool (DATABASE_POOL)', () => statements.maxConnections),
    histogram('invalidation_lag_seconds', 'From the writing of a change to the confirmation of the cache', () => [
      [{}, invalidationLag],
    ]),
    gauge(
      'invalidation_backlog_seconds',
      'Age of the oldest change that could not be delivered to the cache; 0 for none',
      backlogSeconds,
    ),
  ]
}

function counter(name: string, help: string, values: () => Value[]): Family {
  return { name, help, type: 'counter', values }
}

function gauge(name: string, help: string, value: () => number): Family {
  return { name, help, type: 'gauge', values: () => [{ labels: {}, value: value() }] }
}

function histogram(name: string, help: string, all: () => [Value['labels'], Distribution][]): Family {
  const values = () => all().flatMap(([labels, distribution]) => partsOf(name, labels, distribution))
  return { name, help, type: 'histogram', values }
}

function partsOf(name: string, labels: Value['labels'], { boundsSeconds, counts, sumSeconds }: Distribution): Value[] {
  let count = 0
  const buckets = counts.map((its, bucket) => {
    count += its
    return { metricName: `${name}_bucket`, labels: { ...labels, le: boundsSeconds[bucket] ?? '+Inf' }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sumSeconds },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
