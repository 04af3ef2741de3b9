import { queries } from '../harness/queries.js'
import type { Comparison } from './results.js'
import { queriesOf, type Summary, summarize } from './summary.js'
import { megabytes, milliseconds, number, percent, spreadText, table } from './table.js'

const headings = [
  ...['server', 'requests/s', 'ratio to limit', 'by CPU', 'ratio to mercurius'],
  ...['p50', 'p99', 'CPU a request', 'core used', 'RSS'],
]

export function compareSection(comparison: Comparison): string {
  const { rounds, seconds, connections, generator, cores } = comparison
  const tables = queriesOf(comparison).map((query) => {
    const { title, document } = queries[query]
    const rows = summarize(comparison, query).map(toRow)
    return `### ${query}: ${title}\n\n\`${document}\`\n\n${table(headings, rows)}`
  })
  const how = `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s each, ${connections} connections, load by ${generator}, ${cores}.`
  return [
    `${how} Medians over the rounds, least to most in parentheses. A ratio is that of requests/s in the same round; "by CPU" is the limit's
CPU for a request as a share of this server's, which is also valid if "core used" shows another bottleneck (the load
generator, Redis, other work).`,
    ...tables,
    `V8 flags: ${flagList(comparison)}.`,
  ].join('\n\n')
}

function toRow(summary: Summary): string[] {
  const { server, requestsPerSecond, p50Us, p99Us, cpuUsPerRequest, cpuShare, rssBytes } = summary
  return [
    server,
    spreadText(requestsPerSecond, number),
    spreadText(summary.toLimit, ratio),
    spreadText(summary.toLimitByCpu, ratio),
    spreadText(summary.toMercurius, ratio),
    milliseconds(p50Us),
    milliseconds(p99Us),
    cpuUsPerRequest === null ? '–' : `${number(cpuUsPerRequest)} µs`,
    percent(cpuShare),
    megabytes(rssBytes),
  ]
}

function ratio(value: number): string {
  return value.toFixed(value < 0.1 ? 3 : 2)
}

function flagList({ flags }: Comparison): string {
  const servers = Object.entries(flags)
  return [...new Set(servers.map(([, list]) => list))]
    .map((list) => {
      const names = servers.filter(([, other]) => other === list).map(([server]) => server)
      return `${list === '' ? 'none' : `\`${list}\``} (${names.join(', ')})`
    })
    .join('; ')
}
