import { expect, test } from 'vitest'
import type { Counts } from '../../src/platform/metrics/counts.js'
import { OperationSampler } from '../../src/platform/metrics/operation-sampler.js'
import { RequestMetrics } from '../../src/platform/metrics/request-metrics.js'
import { createClock } from '../helpers/clock.js'

function create(maxNames = 50) {
  const clock = createClock()
  const requests = new RequestMetrics({ maxOperations: 2, now: clock.now })
  const sampler = new OperationSampler(requests, 'token', maxNames)
  const observe = (name: string, times: number, seconds = 0.001) => {
    for (let time = 0; time < times; time += 1) requests.observe(name, 'ok', seconds, 2)
  }
  return { sampler, observe }
}

const okOf = (counts: Counts) => Object.fromEntries([...counts].filter(([name]) => name.startsWith('ok/')))

test('a sample has what was counted since the previous one', () => {
  const { sampler, observe } = create()
  observe('A', 2)
  observe('A', 1, 0.5)
  const { counts, maxima } = sampler.take(1)
  expect([counts.get('ok/A'), counts.get('points/A'), maxima.get('max.token/A')]).toEqual([3, 6, 500_000])
  observe('A', 1)
  const second = sampler.take(1)
  expect([second.counts.get('ok/A'), second.counts.get('points/A'), second.maxima.get('max.token/A')]).toEqual([1, 2, 1_000])
  expect(sampler.take(1).counts.size).toBe(0)
})

test('when a name is replaced, no request is counted twice', () => {
  const { sampler, observe } = create()
  observe('A', 5)
  observe('B', 9)
  expect(okOf(sampler.take(1).counts)).toEqual({ 'ok/A': 5, 'ok/B': 9 })
  observe('A', 1)
  observe('C', 8)
  // Until C replaces A, it counts as "other".
  expect(okOf(sampler.take(1).counts)).toEqual({ 'ok/other': 7, 'ok/C': 2 })
})

test('the number of names of a slot is bounded, and the next slot has new names', () => {
  const { sampler, observe } = create(1)
  observe('A', 3)
  observe('B', 1)
  expect(okOf(sampler.take(1).counts)).toEqual({ 'ok/A': 3, 'ok/other': 1 })
  observe('B', 1)
  expect(okOf(sampler.take(2).counts)).toEqual({ 'ok/B': 1 })
})
