import { describe, expect, test } from 'vitest'
import type { EntryId } from '../../src/cache/namespace.js'
import { ReadSampler, type SampledReads } from '../../src/cache/read-sampler.js'
import { Random } from '../compiled-queries/random.js'

const shareOf = ({ reads, hotKeys }: SampledReads, id: string) =>
  (hotKeys.find(({ idOrList }) => idOrList === id)?.reads ?? 0) / reads

/**
 * Four standard errors of a share that was estimated from this many sampling periods. A period is as accurate as 680 reads that were
 * drawn with equal probability, or more accurate (see docs/metrics.md).
 */
const errorOf = (share: number, periods: number) => 4 * Math.sqrt((share * (1 - share)) / (680 * periods))

describe('the sample of the reads', () => {
  /** Reads as batches of up to `maxBatch` ids, and as single ids. */
  function read(sampler: ReadSampler, ids: readonly string[], random: Random, maxBatch: number): void {
    for (let start = 0; start < ids.length; ) {
      const batch = ids.slice(start, start + 1 + random.below(maxBatch))
      if (batch.length === 1) sampler.onRead('things', batch[0] as string)
      else sampler.onReads('things', batch)
      start += batch.length
    }
  }

  test('estimates the shares of the most-read keys among 10,000 keys, in the right order, and the number of all reads', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = new Random(seed)
      const pick = () => {
        const drawn = random.next()
        if (drawn < 0.2) return 'first'
        if (drawn < 0.3) return 'second'
        if (drawn < 0.35) return 'third'
        return `other_${random.below(10_000)}`
      }
      // As many as 30 samples of the dashboard in a minute
      const ids = Array.from({ length: 300_000 }, pick)
      const sampler = new ReadSampler(() => random.next())
      const reads = { all: 0, first: 0, second: 0, third: 0 }
      for (let part = 0; part < 30; part += 1) {
        read(sampler, ids.slice(part * 10_000, (part + 1) * 10_000), random, 40)
        const taken = sampler.take(20)
        expect(taken.hotKeys).toHaveLength(20)
        expect(taken.hotKeys.slice(0, 3).map(({ idOrList }) => idOrList)).toEqual(['first', 'second', 'third'])
        reads.all += taken.reads
        for (const id of ['first', 'second', 'third'] as const) reads[id] += shareOf(taken, id) * taken.reads
      }
      expect(Math.abs(reads.first / reads.all - 0.2)).toBeLessThan(errorOf(0.2, 30))
      expect(Math.abs(reads.second / reads.all - 0.1)).toBeLessThan(errorOf(0.1, 30))
      expect(Math.abs(reads.third / reads.all - 0.05)).toBeLessThan(errorOf(0.05, 30))
      expect(Math.abs(reads.all / 300_000 - 1)).toBeLessThan(0.05)
    }
  })

  test('counts every read of the first 256, in batches and one by one', () => {
    const random = new Random(1)
    const ids = Array.from({ length: 256 }, () => `id_${random.below(20)}`)
    const sampler = new ReadSampler(() => random.next())
    read(sampler, ids, random, 10)
    const expected = new Map<string, number>()
    for (const id of ids) expected.set(id, (expected.get(id) ?? 0) + 1)
    const { reads, hotKeys } = sampler.take(100)
    expect(reads).toBe(256)
    expect(new Map(hotKeys.map(({ idOrList, reads }) => [idOrList, reads]))).toEqual(expected)
    expect(hotKeys.map(({ reads }) => reads)).toEqual([...expected.values()].sort((a, b) => b - a))
    expect(sampler.take(100)).toEqual({ reads: 0, hotKeys: [] })
  })

  test.each([2, 8, 64, 100])('is not misled by reads that repeat with the period %i', (period) => {
    const random = new Random(period)
    const sampler = new ReadSampler(() => random.next())
    for (let index = 0; index < 1_000_000; index += 1) sampler.onRead('things', `id_${index % period}`)
    const taken = sampler.take(period)
    for (let id = 0; id < period; id += 1)
      expect(Math.abs(shareOf(taken, `id_${id}`) - 1 / period)).toBeLessThan(errorOf(1 / period, 1))
  })

  test('a billion reads of ever new keys are less than 6,000 keys in memory', () => {
    const random = new Random(1)
    const sampler = new ReadSampler(() => random.next())
    // A batch of a million reads, of which only those that are sampled exist
    const manyIds = new Proxy([], { get: (_, name) => (name === 'length' ? 1_000_000 : `id_${random.next()}`) }) as string[]
    for (let batch = 0; batch < 1_000; batch += 1) sampler.onReads('things', manyIds)
    const { reads, hotKeys } = sampler.take(Number.POSITIVE_INFINITY)
    expect(hotKeys.length).toBeLessThan(6_000)
    expect(Math.abs(reads / 1e9 - 1)).toBeLessThan(0.3)
  })

  test('tells apart the pages of a list, and keys of different namespaces', () => {
    const sampler = new ReadSampler(Math.random)
    const page = (size: number): EntryId => ({ list: 'Books', parameters: { size } })
    sampler.onReads('lists', [page(20), page(10), page(20), 'Books'])
    sampler.onRead('things', 'Books')
    const { hotKeys } = sampler.take(10)
    expect(hotKeys[0]).toEqual({ namespace: 'lists', idOrList: 'Books', parameters: { size: 20 }, reads: 2 })
    expect(hotKeys).toHaveLength(4)
  })

  test('shortens ids, and omits parameters, that a client made long', () => {
    const sampler = new ReadSampler(Math.random)
    const long = 'é😀'.repeat(50_000)
    sampler.onReads('things', [long, { list: long, parameters: { after: long } }])
    const { hotKeys } = sampler.take(10)
    expect(JSON.stringify(hotKeys).length).toBeLessThan(1_000)
    for (const { idOrList } of hotKeys) expect(idOrList.isWellFormed()).toBe(true)
  })
})
