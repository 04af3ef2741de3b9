import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Tally } from '../tally.js'
import type { HttpResponse } from './answers.js'
import type { Attempt } from './attempt.js'
import { type AttemptInputs, attemptOf } from './attempts.js'
import { exchange } from './exchange.js'
import { hotQueries } from './hot.js'
import { isRefusal, judge, type Rules } from './judge.js'
import type { Options } from './options.js'
import { fingerprint } from './rows.js'
import { type MemoryUsage, startTarget, type Target } from './target.js'
import { adminToken } from './token.js'

export interface Finding {
  number: number
  attempt: Attempt
  problem: string
  answer: string
}

export interface Summary {
  options: Options
  sent: Tally
  statuses: Tally
  refusedUnderLoad: number
  /** The first finding of each problem */
  findings: Finding[]
  /** Number of findings by problem */
  findingCounts: Tally
  /** Problems of the process as a whole */
  problems: string[]
  warm: MemoryUsage | null
  end: MemoryUsage | null
}

const deadlineMs = 20_000
const concurrency = 8
const maxFindings = 20
/** The size of Apollo's document store (30 MB) and a margin */
const maxGrowthBytes = 40_000_000
const maxResourceGrowth = 20

/** Sends all requests and checks every answer, then the process and the database. */
export async function run(options: Options, cleanups: (() => Promise<unknown>)[]): Promise<Summary> {
  const target = await startTarget(cleanups)
  const inputs = { hot: await hotQueries(target.database), token: adminToken(target.tokenSecret, Date.now()) }
  const summary: Summary = {
    ...{ options, sent: new Tally(), statuses: new Tally(), refusedUnderLoad: 0 },
    ...{ findings: [], findingCounts: new Tally(), problems: [], warm: null, end: null },
  }
  const before = await fingerprint(target.database)
  const numbers = options.only === null ? range(0, options.requests) : [options.only]
  const half = Math.ceil(numbers.length / 2)
  await sendAll(numbers.slice(0, half), target, inputs, summary)
  if (target.ended() === null) summary.warm = await target.measureMemory()
  await sendAll(numbers.slice(half), target, inputs, summary)
  summary.problems.push(...(await processProblems(target, summary)))
  if (!isDeepStrictEqual(await fingerprint(target.database), before)) summary.problems.push('the database was changed')
  return summary
}

async function sendAll(numbers: number[], target: Target, inputs: AttemptInputs, summary: Summary): Promise<void> {
  const rules: Rules = { codes: documentedCodes(), secrets: target.secrets }
  const waiting = [...numbers].reverse()
  const sender = async () => {
    for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
      if (target.ended() !== null || summary.findings.length >= maxFindings) return
      await sendOne(number, target, inputs, rules, summary)
    }
  }
  await Promise.all(range(0, concurrency).map(sender))
}

async function sendOne(number: number, target: Target, inputs: AttemptInputs, rules: Rules, summary: Summary): Promise<void> {
  const attempt = attemptOf(summary.options.seed, number, inputs)
  const outcome = await exchange(target.port, attempt, deadlineMs)
  summary.sent.add(attempt.kind)
  const answers = outcome.state === 'answered' ? outcome.answers : []
  for (const { status } of answers) summary.statuses.add(String(status))
  if (answers.length === 0) summary.statuses.add('none')
  summary.refusedUnderLoad += answers.filter(isRefusal).length
  const problem = target.ended() === null ? judge(attempt, outcome, rules) : 'the server ended during this request'
  if (problem === null) return
  summary.findingCounts.add(`${attempt.kind}: ${problem}`)
  const isKnown = summary.findings.some((finding) => finding.attempt.kind === attempt.kind && finding.problem === problem)
  if (!isKnown) summary.findings.push({ number, attempt, problem, answer: textOf(outcome, answers) })
}

function textOf(outcome: object, answers: readonly HttpResponse[]): string {
  if (answers.length === 0) return JSON.stringify(outcome)
  return answers.map(({ status, headers, body }) => `${status} ${JSON.stringify(Object.fromEntries(headers))} ${body}`).join('\n')
}

/** Problems of the process after the last request */
async function processProblems(target: Target, summary: Summary): Promise<string[]> {
  const exit = target.ended()
  if (exit !== null) return [`the server ended: ${exit}\n${target.stderr()}`]
  const problems: string[] = []
  summary.end = await target.measureMemory()
  const { warm, end } = summary
  if (warm && end.heapBytes - warm.heapBytes > maxGrowthBytes) problems.push('the memory of the server grows')
  if (warm && end.resources - warm.resources > maxResourceGrowth)
    problems.push('the number of connections or timers of the server grows')
  const health = await fetch(`http://127.0.0.1:${target.port}/health`).then((answer) => answer.text())
  if (JSON.parse(health).status !== 'healthy') problems.push(`the server is not healthy: ${health}`)
  if (target.stderr() !== '') problems.push(`on stderr: ${target.stderr()}`)
  // 50 is an error, 60 is fatal.
  const logged = /^.*"level":[56]0.*$/m.exec(target.log())?.[0]
  if (logged !== undefined) problems.push(`logged as an error: ${logged}`)
  return problems
}

/** The codes of top-level errors in docs/errors.md */
function documentedCodes(): Set<string> {
  const [table = ''] = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').split('## userErrors')
  return new Set([...table.matchAll(/^\| (`[A-Z_`, ]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z_]+/g) ?? []))
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}
