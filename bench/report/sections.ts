import { queries } from '../harness/queries.js'
import type { ColdRow, CostRow, InvalidationRow, Lists, Memory, Start } from './results.js'
import { quantile } from './statistics.js'
import { milliseconds, number, percent, table } from './table.js'

export function coldSection(rows: readonly ColdRow[]): string {
  const headings = ['query', 'server', 'asked before', 'hits', 'requests', 'requests/s', 'p99', 'SQL a request', 'CPU a request']
  const cells = rows.map((row) => [
    `${row.query}: ${queries[row.query].title}`,
    row.server,
    percent(row.warmedShare),
    row.hitShare === null ? '–' : percent(row.hitShare),
    number(row.requests),
    number(row.requestsPerSecond),
    milliseconds(row.p99Us),
    row.statementsPerRequest.toFixed(2),
    row.cpuUsPerRequest === null ? '–' : `${number(row.cpuUsPerRequest)} µs`,
  ])
  return [
    `Each id is requested once, 50 requests at a time, by a client in Node (so requests/s are not comparable with the comparison above). With an
empty cache, the limit runs the same statements: it has no leases and no invalidation. Hits are counted by the cache; SQL statements on the shop's tables are counted by pg_stat_statements.`,
    table(headings, cells),
  ].join('\n\n')
}

export function invalidationSection(rows: readonly InvalidationRow[]): string {
  const headings = ['keys', 'how', 'took', 'a reader: p50', 'p99', 'meanwhile: p50', 'p99', 'worst']
  const ways = { generation: 'ours: one generation removed', scan: 'SCAN MATCH COUNT 1000 + DEL' }
  const cells = rows.map(({ keys, way, tookMs, calm, meanwhile }) => [
    keys.toLocaleString('en'),
    ways[way],
    milliseconds(tookMs * 1000),
    milliseconds(calm.p50Us),
    milliseconds(calm.p99Us),
    milliseconds(meanwhile.p50Us),
    milliseconds(meanwhile.p99Us),
    milliseconds(meanwhile.worstUs),
  ])
  return [
    `Invalidation of a whole namespace. Ours leaves the entries, and their memory, until their TTL.
The reader is another process that keeps 4 MGETs of 5 other keys in flight; "meanwhile" is the duration of the invalidation, at least 20 ms.`,
    table(headings, cells),
  ].join('\n\n')
}

export function listsSection({ operations, ttlMs, rows }: Lists): string {
  const names = {
    names: 'ours: the pages that the change can concern',
    'every change': 'all pages, at every change of a product',
    TTL: `none: pages expire after ${ttlMs / 1000} s`,
  }
  const cells = rows.map(({ rule, hitShare, refetched, unchanged, stalePerMillion, p50Us, p99Us }) => [
    names[rule],
    `${(100 * hitShare).toFixed(1)} %`,
    number(refetched),
    percent(refetched === 0 ? null : unchanged / refetched),
    number(stalePerMillion),
    milliseconds(p50Us),
    milliseconds(p99Us),
  ])
  return [
    `${operations.toLocaleString('en')} operations, one after another, by one client inside the process, near store on: 95 % read the first page of a list of products
(each category and all, 4 orders, with and without filters), 5 % change a product (80 % of these the stock, 15 % the price, 5 % new or moved),
both by Zipf's law. A read is stale if it differs from the rows although the last change was acknowledged before.`,
    table(
      ['which pages a change invalidates', 'hits', 'fetched again', 'of these unchanged', 'stale a million', 'p50', 'p99'],
      cells,
    ),
  ].join('\n\n')
}

export function memorySection({ entries, redis, near }: Memory): string {
  const cells = redis.map(({ what, plainBytes, oursBytes }) => [
    what,
    perMillion(plainBytes / entries),
    perMillion(oursBytes / entries),
    `+${percent(oursBytes / plainBytes - 1)}`,
  ])
  const measured = `${entries.toLocaleString('en')} entries with a TTL, by \`used_memory\`${entries < 1_000_000 ? ', extrapolated to a million' : ''}.`
  return [
    `Redis: ${measured} The keys are the same.`,
    table(['entry', 'plain JSON, a million', 'ours, a million', 'more'], cells),
    `Near store: ${number(near.heapBytes / near.entries)} bytes of heap an entry (${near.entries.toLocaleString('en')} products, read and parsed), ` +
      `of which it estimates ${number(near.estimatedBytes / near.entries)}.`,
  ].join('\n\n')
}

export function startSection({ firstMs, laterMs, command }: Start): string {
  const sorted = [...laterMs].sort((a, b) => a - b)
  const all = sorted.map((ms) => milliseconds(ms * 1000)).join(', ')
  return `From the spawn of \`${command}\` to the first answered query, with its embedded Postgres and without Redis: **${milliseconds(
    quantile(sorted, 0.5) * 1000,
  )}** (median of ${sorted.length}: ${all}). The first start, which creates the database and its demo data: ${milliseconds(firstMs * 1000)}.`
}

export function costSection(rows: readonly CostRow[]): string {
  const msPerPoint = ({ points, cpuMs }: CostRow) => cpuMs / points
  const reference = rows[0] as CostRow
  const cells = rows.map((row) => [
    row.shape,
    number(row.points),
    milliseconds(row.cpuMs * 1_000),
    milliseconds(msPerPoint(row) * 1_000),
    number(msPerPoint(row) / msPerPoint(reference)),
  ])
  const all = rows.map(msPerPoint).sort((a, b) => a - b)
  return [
    `Charged points and CPU time of the server's process per request, near store on, 4 requests at a time. The ratio compares the CPU time per point with that of
"${reference.shape}" in the same run. From ${milliseconds((all[0] as number) * 1_000)} to ${milliseconds((all.at(-1) as number) * 1_000)} per point.`,
    table(['request', 'points', 'CPU', 'CPU a point', 'ratio'], cells),
  ].join('\n\n')
}

function perMillion(bytes: number): string {
  return `${number((bytes * 1_000_000) / 1024 ** 2)} MB`
}
