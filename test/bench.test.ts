import { describe, expect, test } from 'vitest'
import { readStartScript } from '../bench/harness/prepare.js'
import { ProductVersions } from '../bench/harness/product-versions.js'
import { zipf } from '../bench/harness/zipf.js'
import { MixedTraffic } from '../bench/load/mixed-traffic.js'
import { scanStocks } from '../bench/load/scan-stocks.js'
import { readOptions } from '../bench/options.js'
import { summarizeMixed } from '../bench/report/mixed-summary.js'
import type { Comparison, Mixed, MixedRun, Run } from '../bench/report/results.js'
import { summarize } from '../bench/report/summary.js'

describe('options of the benchmark', () => {
  test('by default, all servers and queries are compared', () => {
    expect(readOptions([])).toMatchObject({ command: 'compare', rounds: 3, seconds: 5, connections: 50, quick: false })
    expect(readOptions([]).queries).toEqual(['Q1', 'Q2', 'Q3'])
  })

  test('servers run in a fixed order, whatever the order of --only', () => {
    expect(readOptions(['--only', 'ours-near,limit']).servers).toEqual(['limit', 'ours-near'])
  })

  test('mixed has its own servers and measures longer', () => {
    const options = readOptions(['mixed', '--only', 'ours-near,limit-del', '--rate', '2000'])
    expect(options).toMatchObject({ seconds: 30, rounds: 3, rate: 2_000, mixedServers: ['limit-del', 'ours-near'] })
    expect(readOptions(['mixed']).rate).toBeNull()
  })

  test.each([
    [['--rounds', '0'], '--rounds takes a whole number from 1 to 100, not "0".'],
    [['--only', 'limit,fastest'], /^--only takes some of limit,.*, not "fastest"\.$/],
    [['--queries', 'Q4'], '--queries takes some of Q1,Q2,Q3, not "Q4".'],
    [['warm'], 'There is no command "warm", only compare, cold, invalidation, memory, start, writes, cost, lists, mixed.'],
    [['cold', '--rounds', '2'], '--rounds is for compare and mixed, not for cold.'],
    [['mixed', '--queries', 'Q1'], '--queries is for compare, not for mixed.'],
    [['mixed', '--only', 'limit'], /^--only takes some of limit-del,.*, not "limit"\.$/],
    [['--rate', '1000'], '--rate is for mixed, not for compare.'],
    [['lists', '--against', '..'], '--against is for writes, not for lists.'],
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

test("Zipf's law: the n-th is drawn in proportion to 1 / n ** 0.99", () => {
  const pick = zipf(3)
  const weights = [1, 2 ** -0.99, 3 ** -0.99]
  const sum = weights.reduce((total, weight) => total + weight)
  const draws = 100_000
  const drawn = Array.from({ length: draws }, (_, draw) => pick((draw + 0.5) / draws))
  for (const [index, weight] of weights.entries())
    expect(drawn.filter((value) => value === index).length / draws).toBeCloseTo(weight / sum, 4)
  expect([pick(0), pick(1 - Number.EPSILON)]).toEqual([0, 2])
})

describe('stale answers', () => {
  test('an answer is stale if it misses a write that was acknowledged before the read was sent', () => {
    const versions = new ProductVersions(2)
    expect(versions.begin(1)).toBe(1)
    expect(versions.judge(1, 0, 10)).toBeNull()
    versions.acknowledge(1, 'mutation', 20)
    expect(versions.judge(1, 0, 20)).toBeNull()
    expect(versions.judge(1, 0, 25)).toEqual({ missed: 'mutation', ageMs: 5 })
    expect(versions.judge(1, 1, 25)).toBeNull()
    expect(versions.judge(2, 0, 25)).toBeNull()
  })

  test('a version that is newer than what is acknowledged is not stale', () => {
    const versions = new ProductVersions(1)
    versions.begin(1)
    expect(versions.judge(1, 1, 10)).toBeNull()
  })

  test('the age counts from the first missed write, and a missed mutation is worse than missed SQL', () => {
    const versions = new ProductVersions(1)
    for (const [by, at] of [
      ['sql', 10],
      ['sql', 20],
      ['mutation', 30],
      ['mutation', 40],
    ] as const) {
      versions.begin(1)
      versions.acknowledge(1, by, at)
    }
    expect(versions.judge(1, 0, 25)).toEqual({ missed: 'sql', ageMs: 15 })
    expect(versions.judge(1, 1, 25)).toEqual({ missed: 'sql', ageMs: 5 })
    expect(versions.judge(1, 0, 50)).toEqual({ missed: 'mutation', ageMs: 20 })
    expect(versions.judge(1, 3, 50)).toEqual({ missed: 'mutation', ageMs: 10 })
  })

  test('the writes of a product follow one another', () => {
    const versions = new ProductVersions(1)
    versions.begin(1)
    expect(versions.isBeingWritten(1)).toBe(true)
    expect(() => versions.begin(1)).toThrow('A write of product 1 is not acknowledged yet')
    versions.acknowledge(1, 'sql', 10)
    expect(versions.isBeingWritten(1)).toBe(false)
    expect(versions.begin(1)).toBe(2)
  })

  test('ids and stocks are found in an answer, not other ids', () => {
    const found: number[][] = []
    const products =
      '{"id":"product_7","name":"A \\"B\\"","price":1.5,"stock":12},{"id":"product_5000","name":"C","price":2,"stock":0}'
    const answer = `{"data":{"order":{"id":"order_3","user":{"id":"user_9","name":"D"},"products":[${products}]}}}`
    expect(scanStocks(answer, (product, stock) => found.push([product, stock]))).toBe(2)
    expect(found).toEqual([
      [7, 12],
      [5_000, 0],
    ])
    expect(scanStocks('{"data":{"order":null}}', () => undefined)).toBe(0)
  })

  test('are counted over all rounds', () => {
    const mixed = { runs: [mixedRun(1, 1_000, 3, 40), mixedRun(2, 3_000, 1, 90)] } as Mixed
    const [summary] = summarizeMixed(mixed, 'one process')
    expect(summary?.stale.mutation).toEqual({ perMillion: 1_000, oldestMs: 90 })
    expect(summary?.readsPerSecond).toEqual({ median: 2_000, min: 1_000, max: 3_000 })
    expect(summarizeMixed(mixed, 'two processes')).toEqual([])
  })
})

test('of the mixed traffic, 5 % are writes, a tenth of them by SQL, and products with a write in flight are not written', () => {
  const traffic = new MixedTraffic(new URL('http://127.0.0.1:4000/graphql'))
  const next = traffic.operations(1, (product) => product === 1)
  const counts = { read: 0, mutation: 0, sql: 0 }
  const written = new Set<number>()
  for (let index = 0; index < 100_000; index += 1) {
    const operation = next()
    counts[operation.kind] += 1
    if (operation.kind !== 'read') written.add(operation.product)
  }
  expect(counts.read / 100_000).toBeCloseTo(0.95, 2)
  expect(counts.sql / (counts.sql + counts.mutation)).toBeCloseTo(0.1, 1)
  expect(written.has(1)).toBe(false)
  expect(written.has(2)).toBe(true)
  expect(traffic.mutation(3, 14).toString()).toMatch(/"variables":\{"id":"product_3","stock":14\}\}$/)
})

function mixedRun(round: number, reads: number, count: number, oldestMs: number): MixedRun {
  const none = { count: 0, oldestMs: 0 }
  return {
    ...{ setup: 'one process', server: 'ours-far', round, reads, readsPerSecond: reads, mutations: 1, sqlWrites: 1 },
    ...{ p50Us: 1, p99Us: 1, p999Us: 1, mutationP50Us: 1, mutationP99Us: 1, selectsPerRead: 0 },
    ...{ cpuUsPerRequest: null, cpuShare: null, rssBytes: null, stale: { mutation: { count, oldestMs }, sql: none } },
  } as const
}
