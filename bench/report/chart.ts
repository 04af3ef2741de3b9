import type { QueryName } from '../harness/queries.js'
import { queries } from '../harness/queries.js'
import type { Comparison, Section } from './results.js'
import { queriesOf, type Summary, summarize } from './summary.js'

const width = 820
const labelWidth = 150
const barWidth = 540
const rowHeight = 22
const groupGap = 46
const top = 84

/** An SVG bar chart of the ratios to the limit, grouped by query, on one scale */
export function chart({ date, machine, content }: Section<Comparison>): string {
  const groups = queriesOf(content).map((query) => ({
    query,
    summaries: summarize(content, query).filter(({ toLimit }) => toLimit),
  }))
  const most = Math.max(1, ...groups.flatMap(({ summaries }) => summaries.map(ratioOf)))
  let y = top
  const bodies = groups.map(({ query, summaries }) => {
    const body = group(query, summaries, y, barWidth / most)
    y += groupGap + summaries.length * rowHeight
    return body
  })
  const height = y + 20
  const { cpu, cores, node } = machine
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Requests per second as a share of LIMIT">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .query { font-weight: 600 }
  .faint { fill: #59636e; font-size: 12px }
  .ground { fill: #ffffff } .line { stroke: #d1d9e0 } .peer { fill: #8c959f } .limit { fill: #bf8700 } .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .faint { fill: #9198a1 }
    .ground { fill: #0d1117 } .line { stroke: #3d444d } .peer { fill: #656c76 } .limit { fill: #d29922 } .ours { fill: #4493f8 }
  }
</style>
<rect class="ground" width="100%" height="100%"/>
<text class="title" x="16" y="26">Requests per second on one core, LIMIT = 1</text>
<text class="faint" x="16" y="46">${escapeXml(`${cpu}, ${cores} cores, Node ${node}, ${date.slice(0, 10)}, ${content.connections} connections, medians of ${content.rounds} × ${content.seconds} s`)}</text>
${bodies.join('\n')}
</svg>
`
}

function group(query: QueryName, summaries: readonly Summary[], y: number, scale: number): string {
  const bars = summaries.map((summary, index) => bar(summary, y + 12 + index * rowHeight, scale))
  const x = labelWidth + scale
  const bottom = y + 12 + summaries.length * rowHeight
  return [
    `<text class="query" x="16" y="${y + 2}">${query}: ${escapeXml(queries[query].title)}</text>`,
    ...bars,
    `<line x1="${round(x)}" x2="${round(x)}" y1="${y + 8}" y2="${bottom}" class="line" stroke-dasharray="3 3"/>`,
  ].join('\n')
}

function bar(summary: Summary, y: number, scale: number): string {
  const { server } = summary
  const ratio = ratioOf(summary)
  const colour = server.startsWith('ours') ? 'ours' : server.startsWith('limit') ? 'limit' : 'peer'
  const length = Math.max(1, ratio * scale)
  return [
    `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${server}</text>`,
    `<rect x="${labelWidth}" y="${y + 3}" width="${round(length)}" height="${rowHeight - 7}" rx="2" class="${colour}"/>`,
    `<text class="faint" x="${round(labelWidth + length + 6)}" y="${y + 14}">${ratio.toFixed(ratio < 0.1 ? 3 : 2)}</text>`,
  ].join('')
}

function ratioOf({ toLimit }: Summary): number {
  return toLimit?.median ?? 0
}

function round(value: number): string {
  return value.toFixed(1)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
