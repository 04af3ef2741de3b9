import { type BarGroup, barChart } from './bar-chart.js'
import { type MixedSummary, setupsOf, summarizeMixed } from './mixed-summary.js'
import type { Mixed, Section } from './results.js'
import { number } from './table.js'

/** An SVG bar chart of reads per second and of stale answers, for each way in which the servers ran */
export function mixedChart(section: Section<Mixed>): string {
  const { content } = section
  return barChart(section, {
    title: '95 % reads, 5 % writes: reads per second, and stale answers a million',
    label: 'Reads per second and stale answers a million, with 5 % writes',
    how: `${content.connections} connections, ${content.rounds} × ${content.seconds} s`,
    groups: setupsOf(content).flatMap((setup) => {
      const summaries = summarizeMixed(content, setup)
      return [
        group(`Reads per second, ${setup}`, summaries, ({ readsPerSecond }) => readsPerSecond.median),
        group(`Stale answers a million, ${setup}`, summaries, ({ stale }) => stale.mutation.perMillion + stale.sql.perMillion),
      ]
    }),
  })
}

function group(title: string, summaries: readonly MixedSummary[], read: (summary: MixedSummary) => number): BarGroup {
  const bars = summaries.map((summary) => {
    const value = read(summary)
    return { server: summary.server, value, label: number(value) }
  })
  return { title, bars, most: Math.max(1, ...bars.map(({ value }) => value)) }
}
