import type { Tally } from '../tally.js'
import type { Finding, Summary } from './run.js'
import type { Held } from './target.js'

export function hasPassed({ findings, faults }: Summary): boolean {
  return findings.length === 0 && faults.length === 0
}

export function describeSummary(summary: Summary): string {
  const { options, sent, statuses, refusedUnderLoad, findings, found, faults, warm, end } = summary
  const rows: [string, string | number][] = [
    ['seed', options.seed],
    ['requests', sent.total],
    ...indented(sent),
    ['answers', statuses.total],
    ...indented(statuses),
    ['refused under load (503, 429)', refusedUnderLoad],
    ['held half way', memory(warm)],
    ['held at the end', memory(end)],
    ['requests with a finding', found.total],
    ...indented(found),
    ['faults of the process', faults.length],
  ]
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  const table = rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n')
  return [...findings.map((finding) => describeFinding(finding, options.seed)), ...faults, table].join('\n\n')
}

/** With all it takes to send it again by itself */
function describeFinding({ number, attempt, fault, answer }: Finding, seed: number): string {
  return [
    `FOUND by ${attempt.kind}: ${fault}`,
    `  again: npm run fuzz -- --seed ${seed} --only ${number}`,
    `  sent (${attempt.bytes.length} bytes): ${printable(attempt.bytes.subarray(0, 2_000))}`,
    `  came: ${answer.slice(0, 2_000)}`,
  ].join('\n')
}

function indented(tally: Tally): [string, number][] {
  return tally.entries.map(([name, count]) => [`  ${name}`, count])
}

function printable(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1'))
}

function memory(held: Held | null): string {
  if (held === null) return '-'
  const [heap, rss] = [held.heldBytes, held.rssBytes].map((bytes) => (bytes / 1_000_000).toFixed(1))
  return `${heap} MB of objects, ${rss} MB resident, ${held.resources} sockets and timers`
}
