import type { Tally } from '../tally.js'
import type { Finding, Summary } from './run.js'
import type { MemoryUsage } from './target.js'

export function hasPassed({ findings, problems }: Summary): boolean {
  return findings.length === 0 && problems.length === 0
}

export function describeSummary(summary: Summary): string {
  const { options, sent, statuses, refusedUnderLoad, findings, findingCounts, problems, warm, end } = summary
  const rows: [string, string | number][] = [
    ['seed', options.seed],
    ['requests', sent.total],
    ...indented(sent),
    ['answers', statuses.total],
    ...indented(statuses),
    ['refused under load (503, 429)', refusedUnderLoad],
    ['memory half way', memory(warm)],
    ['memory at the end', memory(end)],
    ['requests with a finding', findingCounts.total],
    ...indented(findingCounts),
    ['problems of the process', problems.length],
  ]
  const width = Math.max(...rows.map(([name]) => name.length)) + 2
  const table = rows.map(([name, value]) => `${name.padEnd(width)}${value}`).join('\n')
  return [...findings.map((finding) => describeFinding(finding, options.seed)), ...problems, table].join('\n\n')
}

/** Includes the command that repeats the request */
function describeFinding({ number, attempt, problem, answer }: Finding, seed: number): string {
  return [
    `FOUND by ${attempt.kind}: ${problem}`,
    `  repeat: npm run fuzz -- --seed ${seed} --only ${number}`,
    `  sent (${attempt.bytes.length} bytes): ${printable(attempt.bytes.subarray(0, 2_000))}`,
    `  received: ${answer.slice(0, 2_000)}`,
  ].join('\n')
}

function indented(tally: Tally): [string, number][] {
  return tally.entries.map(([name, count]) => [`  ${name}`, count])
}

function printable(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1'))
}

function memory(usage: MemoryUsage | null): string {
  if (usage === null) return '-'
  const [heap, rss] = [usage.heapBytes, usage.rssBytes].map((bytes) => (bytes / 1_000_000).toFixed(1))
  return `${heap} MB of objects, ${rss} MB resident, ${usage.resources} sockets and timers`
}
