import type { CounterName } from 'cached-resolvers'
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
  const perNamespace = (value: (counts: ReturnType<typeof cache.ownCounts>, namespace: string) => Value[]) => () =>
    namespaces.flatMap((name) => value(cache.ownCounts({ name }), name))
  return [
    counter(
      'cache_hits_total',
      'Lookups that the cache answered, from the memory of the process (near) or the store (far)',
      perNamespace(({ hits, nearHits }, namespace) => [
        { labels: { namespace, store: 'near' }, value: nearHits },
        { labels: { namespace, store: 'far' }, value: hits - nearHits },
      ]),
    ),
    ...cacheCounters.map(([name, counterName, help]) =>
      counter(
        name,
        help,
        perNamespace((counts, namespace) => [{ labels: { namespace }, value: counts[counterName] }]),
      ),
    ),
    counter(
      'cache_errors_total',
      'Commands that the store did not answer (unavailable) or answered with an error (refused), damaged entries, failed refills',
      perNamespace((counts, namespace) =>
        errorKinds.map(([kind, name]) => ({ labels: { namespace, kind }, value: counts[name] })),
      ),
    ),
    gauge('cache_trusted', '1 while what the store holds is believed, 0 while all reads go to the database', () =>
      Number(cache.trusted),
    ),
    gauge('cache_breaker_open', '1 while the store is not asked, because it did not answer', () => Number(!cache.answering)),
    gauge('cache_near_bytes', 'Memory of the near store, estimated', () => cache.nearBytes),
    gauge('cache_fetches_running', 'Fetches of misses from the database that are under way', () => cache.fetches.running),
    gauge('cache_fetches_waiting', 'Fetches that wait for one of these to end', () => cache.fetches.waiting),
    gauge('cache_fetches_running_max', 'As many may be under way (CACHE_MAX_FETCHES)', () => maxFetches),
  ]
}

const cacheCounters: readonly [string, CounterName, string][] = [
  ['cache_misses_total', 'misses', 'Lookups that the cache could not answer'],
  ['cache_negative_hits_total', 'negativeHits', "Of the hits, those that say 'there is no such row'"],
  ['cache_stale_hits_total', 'staleHits', 'Of the hits, those with a value past its soft TTL'],
  ['cache_coalesced_misses_total', 'coalesced', 'Of the misses, those answered by a fetch under way in the process'],
  ['cache_lease_waits_total', 'leaseWaits', 'Of the misses, those that waited for the fetch of another process'],
  ['cache_shed_fetches_total', 'shed', 'Fetches refused because too many were under way and waiting'],
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
