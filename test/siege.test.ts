import { expect, test } from 'vitest'
import { findings, siegeTable } from '../torture/siege/report.js'
import { newSpan, type Span } from '../torture/siege/span.js'

const span = (attack: string | null, seen: Partial<Span> = {}): Span => ({
  ...newSpan(attack),
  ...{
    answeredMs: Array(1_000).fill(5),
    probesMs: Array(30).fill(3),
    residentMb: Array(30).fill(300),
    redisMb: Array(30).fill(2),
  },
  ...{ subscriptions: 1, seconds: 10 },
  ...seen,
})
const judge = (seen: Partial<Span>, afterwards: Partial<Span> = {}) =>
  findings([span(null), span('idle connections', seen), span(null, afterwards)])

function failures(...causes: string[]) {
  const { failures } = newSpan(null)
  for (const cause of causes) failures.add(cause)
  return { failures }
}

test('a siege that nobody notices has passed', () => {
  expect(judge({})).toEqual([])
  expect(judge(failures('status 503 OVERLOADED'))).toEqual([])
})

test.each<[string, Partial<Span>, string]>([
  ['honest clients that wait', { answeredMs: Array(100).fill(251) }, 'honest clients, p90: 251 ms, above 250 ms'],
  ['honest clients that are refused', failures('a', 'b'), 'honest clients, failed: 0.20 %, above 0.10 %'],
  [
    'honest clients, of many',
    { answeredMs: [...Array(980).fill(5), ...Array(20).fill(251)] },
    'honest clients, p99: 251 ms, above 250 ms',
  ],
  ['probes that wait', { probesMs: [...Array(20).fill(3), ...Array(11).fill(201)] }, 'probes, p67: 201 ms, above 200 ms'],
  [
    'a probe without an answer',
    { probesMs: [...Array(29).fill(3), Number.POSITIVE_INFINITY] },
    'probes without an answer: 3.33 %, above 1.00 %',
  ],
  ['memory', { residentMb: [300, 1_025, 1_025] }, 'memory, most: 1025 MB, above 1024 MB'],
  ['growth', { residentMb: [300, 350, 451] }, 'memory, growth from the second third to the last: 101 MB, above 100 MB'],
  ['Redis', { redisMb: [2, 35] }, 'Redis, growth: 33 MB, above 32 MB'],
  ['the log', { logLines: 1_001 }, 'log: 1001 lines, above 1000 lines'],
])('it has failed for %s', (_, seen, finding) => {
  expect(judge(seen)).toEqual([finding])
})

test('what still fails when the enemy is gone is a finding, and named in the table', () => {
  const afterwards = failures('status 503 OVERLOADED')
  expect(judge({}, afterwards)).toEqual(['afterwards, 1 times status 503 OVERLOADED'])
  expect(siegeTable([span(null), span(null, afterwards)])).toContain('afterwards: 1 times status 503 OVERLOADED')
})

test('on a machine where nobody attacks and clients wait all the same, times are longer in proportion', () => {
  const slow = span(null, { answeredMs: Array(100).fill(50) })
  expect(findings([slow, span('idle connections', { answeredMs: Array(100).fill(499) }), span(null)])).toEqual([])
})
