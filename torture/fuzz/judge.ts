import type { HttpAnswer } from './answers.js'
import type { Attempt } from './attempt.js'
import type { Outcome } from './exchange.js'

export interface Rules {
  /** Of docs/errors.md */
  codes: ReadonlySet<string>
  /** What nobody outside may learn: passwords, folders */
  secrets: readonly string[]
}

/** What is wrong with what came of an attempt; null where nothing is. */
export function judge(attempt: Attempt, outcome: Outcome, rules: Rules): string | null {
  if (outcome.state === 'unreachable') return `no connection: ${outcome.cause}`
  if (outcome.state === 'hung') return 'no answer in time'
  const { answers, rest } = outcome
  if (attempt.answers !== 'any' && answers.length !== attempt.answers)
    return `${answers.length} answers instead of ${attempt.answers}`
  if (rest !== '' && attempt.answers !== 'any') return 'more than the answer came'
  for (const [index, answer] of answers.entries()) {
    const fault =
      faultOf(answer, attempt, rules) ?? (isRefusal(answer) ? null : differenceFrom(attempt.expected?.[index], answer))
    if (fault !== null) return fault
  }
  return null
}

/** Deliberate, under load */
export function isRefusal({ status }: HttpAnswer): boolean {
  return status === 503 || status === 429
}

function faultOf(answer: HttpAnswer, attempt: Attempt, rules: Rules): string | null {
  return wrongStatus(answer) ?? leak(answer, attempt, rules) ?? wrongErrors(answer, attempt, rules)
}

function wrongStatus({ status }: HttpAnswer): string | null {
  return status >= 500 && status !== 503 ? `status ${status}` : null
}

function differenceFrom(expected: string | undefined, { body }: HttpAnswer): string | null {
  return expected === undefined || expected === body ? null : `not the right answer, which is ${expected.trim()}`
}

const internals = [
  /node_modules/,
  /\bat \S+ \(.*:\d+:\d+\)/,
  /\b\w+\.[jt]s:\d+/,
  /postgres|ioredis|redis:\/\//i,
  /\bselect\b.+\bfrom\b/i,
  /syntax error at or near|relation "/,
]

function leak({ headers, body }: HttpAnswer, { bytes }: Attempt, { secrets }: Rules): string | null {
  const text = [...headers].join('\n') + body
  const secret = secrets.find((its) => text.includes(its))
  if (secret !== undefined) return `the answer has a secret in it: ${secret}`
  if (headers.has('x-injected')) return 'a header was injected'
  // Pages may speak of what they are made with; and what was sent may come back.
  if (!isJson(headers)) return null
  const sent = bytes.toString()
  const found = internals.map((pattern) => pattern.exec(body)?.[0]).find((match) => match !== undefined && !sent.includes(match))
  return found === undefined ? null : `the answer tells of internals: ${found}`
}

function wrongErrors({ status, headers, body }: HttpAnswer, { bodiless }: Attempt, { codes }: Rules): string | null {
  const requestId = headers.get('x-request-id')
  if (bodiless || status === 101 || status === 204 || status === 304) return null
  if (!isJson(headers)) return status >= 400 ? `a refusal that is no JSON (status ${status})` : null
  const errors = readErrors(body)
  if (errors === 'broken') return 'broken JSON'
  if (status >= 400 && errors.length === 0 && status !== 503) return `status ${status} without an error`
  for (const { message, extensions } of errors) {
    if (typeof message !== 'string' || message === '') return 'an error without a message'
    if (!codes.has(extensions?.code ?? '')) return `the code ${extensions?.code} is not in docs/errors.md`
    if (extensions?.code === 'INTERNAL_SERVER_ERROR') return 'an error that nobody foresaw'
    if (requestId === undefined || extensions?.requestId !== requestId) return 'an error without the id of its request'
  }
  return null
}

interface AnswerError {
  message?: unknown
  extensions?: { code?: string; requestId?: string }
}

function readErrors(body: string): AnswerError[] | 'broken' {
  try {
    return JSON.parse(body)?.errors ?? []
  } catch {
    return 'broken'
  }
}

function isJson(headers: ReadonlyMap<string, string>): boolean {
  return /^application\/([\w-]+\+)?json\b/.test(headers.get('content-type') ?? '')
}
