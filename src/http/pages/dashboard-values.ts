/** What the values of the dashboard mean, by name. The table in docs/metrics.md has the same texts, for those who read it there. */
export const dashboardValues: Readonly<Record<string, string>> = {
  'Hit rate':
    'the share of the lookups that were answered by the near store, in the memory of the process, or by the far store, the cache server. Negative hits (the row does not exist) and stale hits are included',
  'Stale hits': 'values past their soft TTL, which are still served while they are refilled',
  Percentiles:
    'p50 and p95 of at least 20 durations, p99 of at least 100, interpolated within the buckets of the histograms. Of fewer, the page shows the number and the maximum. The maximum is exact',
  'SQL per request':
    "statements for requests and subscriptions, refills of stale entries included, divided by the requests; a dash without requests. The server's own statements (audits and health checks) are shown apart. The connections of the relay and of live updates are not counted",
  'Invalidation lag': 'the time from the write of a change to its invalidation in the cache',
  'Event loop busy': 'the share of time in which the processes were executing JavaScript. Near 100 %, requests wait',
  Operations:
    'the last 10 minutes, by the names in the documents: at most 40, the most used and the slowest. Cost is the average in points, of requests that were not refused',
  Errors:
    'the codes in answers. Failed: the server could not answer. Refused: because of a limit or overload. Client error: the client has to correct the request',
  'Hot keys':
    'the 10 keys with the most lookups in the last minute, in the near and the far store, misses included, estimated from a random sample. A key that a request needs several times is one lookup. Audits, warm-ups and looking up entries do not count',
}
