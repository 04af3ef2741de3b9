import { type MixedSummary, setupsOf, summarizeMixed } from './mixed-summary.js'
import type { Mixed, MixedSetup } from './results.js'
import { megabytes, milliseconds, number, percent, spreadText, table } from './table.js'

const headings = [
  ...[
    'server',
    'reads/s',
    'p50',
    'p99',
    'p99.9',
    'SQL a read',
    'stale a million after mutations',
    'oldest',
    'after SQL',
    'oldest',
  ],
  ...['CPU a request', 'core used', 'a mutation: p50', 'p99', 'RSS'],
]

const titles: Record<MixedSetup, string> = {
  'one process': 'One process',
  'two processes': 'Two processes on one port and on one core',
  'one of two stalled': 'Two processes, one of them stopped for 300 ms every 5 s',
}

export function mixedSection(mixed: Mixed): string {
  const { rounds, seconds, connections, rate, cores } = mixed
  const load = rate === null ? 'each sends its next request after the last answer' : `${number(rate)} operations/s`
  const tables = setupsOf(mixed).map((setup) => {
    const rows = summarizeMixed(mixed, setup).map(toRow)
    return `### ${titles[setup]}\n\n${table(headings, rows)}`
  })
  return [
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s each, ${connections} connections, ${load}; ${cores}. 95 % reads (Q1, Q2, Q3 at 60:30:10, with the stock
of each product), 5 % writes of a product, nine tenths of them by mutations and a tenth by SQL past the server, all by Zipf's law.
Medians over the rounds, least to most in parentheses. An answer is stale if it misses a write that was acknowledged before the read was sent: "after
mutations" if a mutation is among the missed writes, "after SQL" if only SQL is. "Oldest" is the longest time from the acknowledgement of a missed write
to the sending of the read. "SQL a read" is the number of SELECTs, including those that follow writes, divided by the reads.`,
    ...tables,
  ].join('\n\n')
}

function toRow({ server, readsPerSecond, medians, stale }: MixedSummary): string[] {
  const { p50Us, p99Us, p999Us, selectsPerRead, cpuUsPerRequest, cpuShare, mutationP50Us, mutationP99Us, rssBytes } = medians
  return [
    server,
    spreadText(readsPerSecond, number),
    ...[p50Us, p99Us, p999Us].map(duration),
    selectsPerRead === null ? '–' : selectsPerRead.toFixed(3),
    ...[stale.mutation, stale.sql].flatMap(({ perMillion, oldestMs }) => [
      number(perMillion),
      perMillion === 0 ? '–' : milliseconds(oldestMs * 1_000),
    ]),
    cpuUsPerRequest === null ? '–' : `${number(cpuUsPerRequest)} µs`,
    percent(cpuShare),
    ...[mutationP50Us, mutationP99Us].map(duration),
    megabytes(rssBytes),
  ]
}

function duration(us: number | null): string {
  return us === null ? '–' : milliseconds(us)
}
