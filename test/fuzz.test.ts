import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { parseAnswers } from '../torture/fuzz/answers.js'
import type { Attempt } from '../torture/fuzz/attempt.js'
import { attemptOf } from '../torture/fuzz/attempts.js'
import { exchange } from '../torture/fuzz/exchange.js'
import { judge } from '../torture/fuzz/judge.js'
import { readOptions } from '../torture/fuzz/options.js'

const inputs = { hot: [{ body: '{"query":"{ a }"}', expected: '{"data":{}}\n' }], token: 'a.b.c' }
const rules = { codes: new Set(['BAD_REQUEST', 'INTERNAL_SERVER_ERROR']), secrets: ['s3cret'] }
const attempt = { kind: 'any', bytes: Buffer.from('sent'), answers: 1 }

function answered(body: unknown, { status = 200, ...headers }: { status?: number; [name: string]: unknown } = {}) {
  const all = { 'content-type': 'application/json; charset=utf-8', 'x-request-id': 'id', ...headers }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return {
    state: 'answered' as const,
    answers: [{ status, headers: new Map(Object.entries(all)) as Map<string, string>, body: text }],
    rest: '',
  }
}
const refused = (extensions: object, message = 'no') => ({ errors: [{ message, extensions }] })

function digest({ kind, bytes }: Attempt): string {
  return `${kind} ${createHash('sha256').update(bytes).digest('hex')}`
}

test('equal seeds give equal requests, and the requests differ from each other', () => {
  const sent = (seed: number) => Array.from({ length: 300 }, (_, number) => digest(attemptOf(seed, number, inputs)))
  expect(sent(1)).toEqual(sent(1))
  expect(sent(1)).not.toEqual(sent(2))
  expect(new Set(sent(1)).size).toBeGreaterThan(250)
})

test('an invalid option is named in the error', () => {
  expect(readOptions(['--requests', '7', '--only', '3'], 5)).toEqual({ requests: 7, seed: 5, only: 3, help: false })
  expect(() => readOptions(['--requests', 'all'], 5)).toThrow('--requests')
})

describe('the judge', () => {
  const coded = { code: 'BAD_REQUEST', requestId: 'id' }

  test('accepts correct responses', () => {
    expect(judge(attempt, answered({ data: {} }), rules)).toBe(null)
    expect(judge(attempt, answered(refused(coded), { status: 400 }), rules)).toBe(null)
    expect(judge(attempt, answered('<html>', { 'content-type': 'text/html' }), rules)).toBe(null)
    expect(judge({ ...attempt, expected: ['{"data":{}}'] }, answered({ data: {} }), rules)).toBe(null)
    expect(judge({ ...attempt, expected: ['{"data":{}}'] }, answered(refused(coded), { status: 503 }), rules)).toBe(null)
  })

  test.each([
    ['no answer in time', { state: 'hung' as const, received: '' }],
    ['no connection', { state: 'unreachable' as const, cause: 'refused' }],
    ['0 answers instead of 1', { state: 'answered' as const, answers: [], rest: '' }],
    ['status 500', answered(refused(coded), { status: 500 })],
    ['broken JSON', answered('{"data":')],
    ['not JSON', answered('no', { status: 400, 'content-type': 'text/plain' })],
    ['without an error', answered({}, { status: 400 })],
    ['without a message', answered(refused(coded, ''))],
    ['not in docs/errors.md', answered(refused({ code: 'OTHER', requestId: 'id' }))],
    ['unexpected error', answered(refused({ code: 'INTERNAL_SERVER_ERROR', requestId: 'id' }))],
    ['without its request id', answered(refused({ code: 'BAD_REQUEST' }))],
    ['a secret', answered({ data: 's3cret' })],
    ['a secret', answered({ data: {} }, { server: 's3cret' })],
    ['injected', answered({ data: {} }, { 'x-injected': '1' })],
    ['internals', answered(refused(coded, 'at run (file:///a/b.js:1:2)'))],
    ['internals', answered(refused(coded, 'connect ECONNREFUSED, postgres'))],
    ['internals', answered(refused(coded, 'select id from users'))],
  ])('finds: %s', (problem, outcome) => {
    expect(judge(attempt, outcome, rules)).toContain(problem)
  })

  test('finds an answer that differs from the expected one', () => {
    expect(judge({ ...attempt, expected: ['{"data":{"a":1}}'] }, answered({ data: { a: 2 } }), rules)).toContain(
      'not the right answer',
    )
  })
})

describe('the bytes received on a connection', () => {
  const read = (text: string | Buffer, bodiless = false) => parseAnswers(Buffer.from(text), bodiless)

  test('are parsed with every kind of framing', () => {
    const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'
    const counted = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nabc'
    const { answers, rest } = read(`HTTP/1.1 100 Continue\r\n\r\n${chunked}${counted}HTTP/1.1 2`)
    expect(answers.map(({ status, body }) => [status, body])).toEqual([
      [200, '{}'],
      [400, 'abc'],
    ])
    expect(rest.toString()).toBe('HTTP/1.1 2')
    expect(read(counted.slice(0, -1)).answers).toEqual([])
    expect(read('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n', true).answers).toHaveLength(1)
    expect(() => read('Hello\r\n\r\n')).toThrow('Not an HTTP response')
  })

  test('are decompressed', () => {
    const body = gzipSync('{"data":{}}')
    const head = `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`
    expect(read(Buffer.concat([Buffer.from(head), body])).answers[0]?.body).toBe('{"data":{}}')
  })

  test('that never arrive are reported as hung', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    expect(await exchange(port, attempt, 50)).toEqual({ state: 'hung', received: '' })
    server.close()
  })
})
