import type { Section } from './results.js'

interface Bar {
  server: string
  value: number
  label: string
}

export interface BarGroup {
  title: string
  bars: readonly Bar[]
  /** The value that fills the width */
  most: number
  /** Value of a dashed line */
  reference?: number
}

const width = 820
const labelWidth = 150
const barWidth = 540
const rowHeight = 22
const groupGap = 46
const top = 84

/** An SVG chart of groups of horizontal bars; `how` continues the line about the machine. */
export function barChart(
  { date, machine }: Section<unknown>,
  { title, label, how, groups }: { title: string; label: string; how: string; groups: readonly BarGroup[] },
): string {
  let y = top
  const bodies = groups.map((group) => {
    const body = groupText(group, y)
    y += groupGap + group.bars.length * rowHeight
    return body
  })
  const height = y + 20
  const { cpu, cores, node } = machine
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(label)}">
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
<text class="title" x="16" y="26">${escapeXml(title)}</text>
<text class="faint" x="16" y="46">${escapeXml(`${cpu}, ${cores} cores, Node ${node}, ${date.slice(0, 10)}, ${how}`)}</text>
${bodies.join('\n')}
</svg>
`
}

function groupText({ title, bars, most, reference }: BarGroup, y: number): string {
  const scale = barWidth / most
  const bottom = y + 12 + bars.length * rowHeight
  const lines = [
    `<text class="query" x="16" y="${y + 2}">${escapeXml(title)}</text>`,
    ...bars.map((bar, index) => barText(bar, y + 12 + index * rowHeight, scale)),
  ]
  if (reference !== undefined) {
    const x = round(labelWidth + reference * scale)
    lines.push(`<line x1="${x}" x2="${x}" y1="${y + 8}" y2="${bottom}" class="line" stroke-dasharray="3 3"/>`)
  }
  return lines.join('\n')
}

function barText({ server, value, label }: Bar, y: number, scale: number): string {
  const colour = server.startsWith('ours') ? 'ours' : server.startsWith('limit') ? 'limit' : 'peer'
  const length = Math.max(1, value * scale)
  return [
    `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${server}</text>`,
    `<rect x="${labelWidth}" y="${y + 3}" width="${round(length)}" height="${rowHeight - 7}" rx="2" class="${colour}"/>`,
    `<text class="faint" x="${round(labelWidth + length + 6)}" y="${y + 14}">${escapeXml(label)}</text>`,
  ].join('')
}

function round(value: number): string {
  return value.toFixed(1)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
