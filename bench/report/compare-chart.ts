import { queries } from '../harness/queries.js'
import { type BarGroup, barChart } from './bar-chart.js'
import type { Comparison, Section } from './results.js'
import { queriesOf, type Summary, summarize } from './summary.js'

/** An SVG bar chart of the ratios to the limit, grouped by query, on one scale */
export function compareChart(section: Section<Comparison>): string {
  const { content } = section
  const groups = queriesOf(content).map((query) => ({
    query,
    summaries: summarize(content, query).filter(({ toLimit }) => toLimit),
  }))
  const most = Math.max(1, ...groups.flatMap(({ summaries }) => summaries.map(ratioOf)))
  return barChart(section, {
    title: 'Requests per second on one core, LIMIT = 1',
    label: 'Requests per second as a share of LIMIT',
    how: `${content.connections} connections, medians of ${content.rounds} × ${content.seconds} s`,
    groups: groups.map(
      ({ query, summaries }): BarGroup => ({
        ...{ title: `${query}: ${queries[query].title}`, most, reference: 1 },
        bars: summaries.map((summary) => {
          const value = ratioOf(summary)
          return { server: summary.server, value, label: value.toFixed(value < 0.1 ? 3 : 2) }
        }),
      }),
    ),
  })
}

function ratioOf({ toLimit }: Summary): number {
  return toLimit?.median ?? 0
}
