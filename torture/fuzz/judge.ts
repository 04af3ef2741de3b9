import type { HttpResponse } from './answers.js'
import type { Attempt } from './attempt.js'
import type { Outcome } from './exchange.js'

export interface Rules {
  /** The error codes in docs/errors.md */
  codes: ReadonlySet<string>
  /** Texts that no response may contain: passwords, folders */
  secrets: readonly string[]
}

/** Returns the first problem with the outcome of an attempt, or null. */
export function judge(attempt: Attempt, outcome: Outcome, rules: Rules): string | null {
  if (outcome.state === 'unreachable') return `no connection: ${outcome.cause}`
  if (outcome.state === 'hung') return 'no answer in time'
  const { answers, rest } = outcome
  if (attempt.answers !== 'any' && answers.length !== attempt.answers)
    return `${answers.length} answers instead of ${attempt.answers}`
  if (rest !== '' && attempt.answers !== 'any') return 'more than the answer came'
  for (const [index, answer] of answers.entries()) {
    const problem =
      problemOf(answer, attempt, rules) ?? (isRefusal(answer) ? null : differenceFrom(attempt.expected?.[index], answer))
    if (problem !== null) return problem
  }
  return null
}

/** A refusal under load, which is intended */
export function isRefusal({ status }: HttpResponse): boolean {
  return status === 503 || status === 429
}

function problemOf(answer: HttpResponse, attempt: Attempt, rules: Rules): string | null {
  return wrongStatus(answer) ?? leak(answer, attempt, rules) ?? wrongErrors(answer, attempt, rules)
}

function wrongStatus({ status }: HttpResponse): string | null {
  return status >= 500 && status !== 503 ? `status ${status}` : null
}

function differenceFrom(expected: string | undefined, { body }: HttpResponse): string | null {
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

function leak({ headers, body }: HttpResponse, { bytes }: Attempt, { secrets }: Rules): string | null {
  const text = [...headers].join('\n') + body
  const secret = secrets.find((candidate) => text.includes(candidate))
  if (secret !== undefined) return `the answer contains a secret: ${secret}`
  if (headers.has('x-injected')) return 'a header was injected'
  // HTML pages may name internals, and a response may echo what was sent.
  if (!isJson(headers)) return null
  const sent = bytes.toString()
  const found = internals.map((pattern) => pattern.exec(body)?.[0]).find((match) => match !== undefined && !sent.includes(match))
  return found === undefined ? null : `the answer reveals internals: ${found}`
}

function wrongErrors({ status, headers, body }: HttpResponse, { bodiless }: Attempt, { codes }: Rules): string | null {
  const requestId = headers.get('x-request-id')
  if (bodiless || status === 101 || status === 204 || status === 304) return null
  if (!isJson(headers)) return status >= 400 ? `an error response that is not JSON (status ${status})` : null
  const errors = readErrors(body)
  if (errors === 'broken') return 'broken JSON'
  if (status >= 400 && errors.length === 0 && status !== 503) return `status ${status} without an error`
  for (const { message, extensions } of errors) {
    if (typeof message !== 'string' || message === '') return 'an error without a message'
    if (!codes.has(extensions?.code ?? '')) return `the code ${extensions?.code} is not in docs/errors.md`
    if (extensions?.code === 'INTERNAL_SERVER_ERROR') return 'an unexpected error (INTERNAL_SERVER_ERROR)'
    if (requestId === undefined || extensions?.requestId !== requestId) return 'an error without its request id'
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
