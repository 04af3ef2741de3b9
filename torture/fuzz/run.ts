import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Tally } from '../tally.js'
import type { HttpAnswer } from './answers.js'
import type { Attempt } from './attempt.js'
import { attemptOf, type Supplies } from './attempts.js'
import { exchange } from './exchange.js'
import { hotQueries } from './hot.js'
import { isRefusal, judge, type Rules } from './judge.js'
import type { Options } from './options.js'
import { fingerprint } from './rows.js'
import { type Held, startTarget, type Target } from './target.js'
import { adminToken } from './token.js'

export interface Finding {
  number: number
  attempt: Attempt
  fault: string
  answer: string
}

export interface Summary {
  options: Options
  sent: Tally
  statuses: Tally
  refusedUnderLoad: number
  /** The first of each */
  findings: Finding[]
  /** How often each was found */
  found: Tally
  /** Of the process as a whole */
  faults: string[]
  warm: Held | null
  end: Held | null
}

const deadlineMs = 20_000
const atOnce = 8
const maxFindings = 20
/** What Apollo may keep of documents (30 MB), and a little more */
const maxGrowthBytes = 40_000_000
const maxMoreResources = 20

/** Sends all requests and looks at every answer, then at the process and at the database. */
export async function run(options: Options, stops: (() => Promise<unknown>)[]): Promise<Summary> {
  const target = await startTarget(stops)
  const supplies = { hot: await hotQueries(target.database), token: adminToken(target.tokenSecret, Date.now()) }
  const summary: Summary = {
    ...{ options, sent: new Tally(), statuses: new Tally(), refusedUnderLoad: 0 },
    ...{ findings: [], found: new Tally(), faults: [], warm: null, end: null },
  }
  const before = await fingerprint(target.database)
  const numbers = options.only === null ? range(0, options.requests) : [options.only]
  const half = Math.ceil(numbers.length / 2)
  await sendAll(numbers.slice(0, half), target, supplies, summary)
  if (target.ended() === null) summary.warm = await target.held()
  await sendAll(numbers.slice(half), target, supplies, summary)
  summary.faults.push(...(await faultsOf(target, summary)))
  if (!isDeepStrictEqual(await fingerprint(target.database), before)) summary.faults.push('the database was changed')
  return summary
}

async function sendAll(numbers: number[], target: Target, supplies: Supplies, summary: Summary): Promise<void> {
  const rules: Rules = { codes: documentedCodes(), secrets: target.secrets }
  const waiting = [...numbers].reverse()
  const sender = async () => {
    for (let number = waiting.pop(); number !== undefined; number = waiting.pop()) {
      if (target.ended() !== null || summary.findings.length >= maxFindings) return
      await sendOne(number, target, supplies, rules, summary)
    }
  }
  await Promise.all(range(0, atOnce).map(sender))
}

async function sendOne(number: number, target: Target, supplies: Supplies, rules: Rules, summary: Summary): Promise<void> {
  const attempt = attemptOf(summary.options.seed, number, supplies)
  const outcome = await exchange(target.port, attempt, deadlineMs)
  summary.sent.add(attempt.kind)
  const answers = outcome.state === 'answered' ? outcome.answers : []
  for (const { status } of answers) summary.statuses.add(String(status))
  if (answers.length === 0) summary.statuses.add('none')
  summary.refusedUnderLoad += answers.filter(isRefusal).length
  const fault = target.ended() === null ? judge(attempt, outcome, rules) : 'the server ended while this was under way'
  if (fault === null) return
  summary.found.add(`${attempt.kind}: ${fault}`)
  const isKnown = summary.findings.some((its) => its.attempt.kind === attempt.kind && its.fault === fault)
  if (!isKnown) summary.findings.push({ number, attempt, fault, answer: textOf(outcome, answers) })
}

function textOf(outcome: object, answers: readonly HttpAnswer[]): string {
  if (answers.length === 0) return JSON.stringify(outcome)
  return answers.map(({ status, headers, body }) => `${status} ${JSON.stringify(Object.fromEntries(headers))} ${body}`).join('\n')
}

/** What is wrong with the process, now that nothing is under way */
async function faultsOf(target: Target, summary: Summary): Promise<string[]> {
  const how = target.ended()
  if (how !== null) return [`the server ended: ${how}\n${target.stderr()}`]
  const faults: string[] = []
  summary.end = await target.held()
  const { warm, end } = summary
  if (warm && end.heldBytes - warm.heldBytes > maxGrowthBytes) faults.push('the server holds more and more memory')
  if (warm && end.resources - warm.resources > maxMoreResources)
    faults.push('the server holds more and more connections or timers')
  const health = await fetch(`http://127.0.0.1:${target.port}/health`).then((answer) => answer.text())
  if (JSON.parse(health).status !== 'healthy') faults.push(`the server is not healthy: ${health}`)
  if (target.stderr() !== '') faults.push(`on stderr: ${target.stderr()}`)
  // 50 is an error, 60 is fatal.
  const logged = /^.*"level":[56]0.*$/m.exec(target.log())?.[0]
  if (logged !== undefined) faults.push(`logged as an error: ${logged}`)
  return faults
}

/** Those of top-level errors */
function documentedCodes(): Set<string> {
  const [table = ''] = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8').split('## userErrors')
  return new Set([...table.matchAll(/^\| (`[A-Z_`, ]+) \|/gm)].flatMap(([, cell = '']) => cell.match(/[A-Z_]+/g) ?? []))
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}
