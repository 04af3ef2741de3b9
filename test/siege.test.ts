import { expect, test } from 'vitest'
import { newPeriod, type Period } from '../torture/siege/period.js'
import { findings, siegeTable } from '../torture/siege/report.js'

const period = (attack: string | null, seen: Partial<Period> = {}): Period => ({
  ...newPeriod(attack),
  ...{
    answeredMs: Array(1_000).fill(5),
    probesMs: Array(30).fill(3),
    residentMb: Array(30).fill(300),
    redisMb: Array(30).fill(2),
  },
  ...{ subscriptions: 1, seconds: 10 },
  ...seen,
})
const judge = (seen: Partial<Period>, afterwards: Partial<Period> = {}) =>
  findings([period(null), period('idle connections', seen), period(null, afterwards)])

function failures(...causes: string[]) {
  const { failures } = newPeriod(null)
  for (const cause of causes) failures.add(cause)
  return { failures }
}

test('a siege without effects passes', () => {
  expect(judge({})).toEqual([])
  expect(judge(failures('status 503 OVERLOADED'))).toEqual([])
})

test.each<[string, Partial<Period>, string]>([
  ['slow answers to honest clients', { answeredMs: Array(100).fill(251) }, 'honest clients, p90: 251 ms, above 250 ms'],
  ['refused honest clients', failures('a', 'b'), 'honest clients, failed: 0.20 %, above 0.10 %'],
  [
    'slow answers to honest clients, p99 of many',
    { answeredMs: [...Array(980).fill(5), ...Array(20).fill(251)] },
    'honest clients, p99: 251 ms, above 250 ms',
  ],
  ['slow probes', { probesMs: [...Array(20).fill(3), ...Array(11).fill(201)] }, 'probes, p67: 201 ms, above 200 ms'],
  [
    'a probe without an answer',
    { probesMs: [...Array(29).fill(3), Number.POSITIVE_INFINITY] },
    'probes without an answer: 3.33 %, above 1.00 %',
  ],
  ['memory', { residentMb: [300, 1_025, 1_025] }, 'memory, most: 1025 MB, above 1024 MB'],
  ['growth of memory', { residentMb: [300, 350, 451] }, 'memory, growth from the second third to the last: 101 MB, above 100 MB'],
  ['Redis', { redisMb: [2, 35] }, 'Redis, growth: 33 MB, above 32 MB'],
  ['the log', { logLines: 1_001 }, 'log: 1001 lines, above 1000 lines'],
])('a siege fails because of %s', (_, seen, finding) => {
  expect(judge(seen)).toEqual([finding])
})

test('failures after the attack are findings and are listed in the table', () => {
  const afterwards = failures('status 503 OVERLOADED')
  expect(judge({}, afterwards)).toEqual(['afterwards, 1 times status 503 OVERLOADED'])
  expect(siegeTable([period(null), period(null, afterwards)])).toContain('afterwards: 1 times status 503 OVERLOADED')
})

test('on a machine where clients are slow without an attack, the limits are scaled', () => {
  const slow = period(null, { answeredMs: Array(100).fill(50) })
  expect(findings([slow, period('idle connections', { answeredMs: Array(100).fill(499) }), period(null)])).toEqual([])
})
