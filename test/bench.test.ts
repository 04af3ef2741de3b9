import { describe, expect, test } from 'vitest'
import { readStartScript } from '../bench/harness/prepare.js'
import { readOptions } from '../bench/options.js'
import type { Comparison, Run } from '../bench/report/results.js'
import { summarize } from '../bench/report/summary.js'

describe('options of the benchmark', () => {
  test('by default, all servers and queries are compared', () => {
    expect(readOptions([])).toMatchObject({ command: 'compare', rounds: 3, seconds: 5, connections: 50, quick: false })
    expect(readOptions([]).queries).toEqual(['Q1', 'Q2', 'Q3'])
  })

  test('servers run in a fixed order, whatever the order of --only', () => {
    expect(readOptions(['--only', 'ours-near,limit']).servers).toEqual(['limit', 'ours-near'])
  })

  test.each([
    [['--rounds', '0'], '--rounds takes a whole number from 1 to 100, not "0".'],
    [['--only', 'limit,fastest'], /^--only takes some of limit,.*, not "fastest"\.$/],
    [['--queries', 'Q4'], '--queries takes some of Q1,Q2,Q3, not "Q4".'],
    [['warm'], 'There is no command "warm", only compare, cold, invalidation, memory, start, writes, cost, lists.'],
    [['cold', '--rounds', '2'], '--rounds is for compare, not for cold.'],
    [['cold', 'memory'], 'One command at a time, not also "memory".'],
  ])('%j is refused with the reason', (args, message) => {
    expect(() => readOptions(args)).toThrow(message)
  })
})

test('the project is started with the flags of the npm start script', () => {
  const { flags, entry } = readStartScript()
  expect(entry).toMatch(/dist\/main\.js$/)
  expect(flags.every((flag) => flag.startsWith('-'))).toBe(true)
})

test('ratios are computed per round, and the median is the median of these ratios', () => {
  const comparison = { runs: [...round(1, 1_000, 500), ...round(2, 100, 10), ...round(3, 200, 60)] } as Comparison
  const ours = summarize(comparison, 'Q1').find(({ server }) => server === 'ours-far')
  expect(ours?.requestsPerSecond).toEqual({ median: 60, min: 10, max: 500 })
  expect(ours?.toLimit).toEqual({ median: 0.3, min: 0.1, max: 0.5 })
  expect(ours?.toMercurius).toBeNull()
})

function round(number: number, limit: number, ours: number): Run[] {
  const measured = {
    query: 'Q1',
    round: number,
    p50Us: 1,
    p99Us: 1,
    cpuUsPerRequest: null,
    cpuShare: null,
    rssBytes: null,
  } as const
  return [
    { ...measured, server: 'limit', requestsPerSecond: limit },
    { ...measured, server: 'ours-far', requestsPerSecond: ours },
  ]
}
