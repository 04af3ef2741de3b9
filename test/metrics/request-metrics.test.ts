import { expect, test } from 'vitest'
import { RequestMetrics } from '../../src/platform/metrics/request-metrics.js'
import { createClock } from '../helpers/clock.js'

const hour = 3_600_000
const countOf = (metrics: RequestMetrics, name: string) => metrics.byOperation().get(name)?.outcomes.ok
const total = (metrics: RequestMetrics) => [...metrics.byOperation().values()].reduce((sum, { outcomes }) => sum + outcomes.ok, 0)

function create() {
  const clock = createClock()
  const metrics = new RequestMetrics({ maxOperations: 3, now: clock.now })
  const observe = (name: string, times: number) => {
    for (let time = 0; time < times; time += 1) metrics.observe(name, 'ok', 0.001, 1)
  }
  return { clock, metrics, observe }
}

test('names no longer requested are replaced by frequent ones, and the sums stay complete', () => {
  const { clock, metrics, observe } = create()
  for (const name of ['Bad1', 'Bad2', 'Bad3']) observe(name, 8)
  observe('Shop', 4)
  expect(countOf(metrics, 'Shop')).toBeUndefined()
  expect(countOf(metrics, 'other')).toBe(4)
  clock.advance(hour)
  observe('Shop', 10)
  expect(countOf(metrics, 'Shop')).toBe(10)
  expect(total(metrics)).toBe(24 + 14)
  expect([...metrics.byOperation().keys()].filter((name) => name !== 'other')).toHaveLength(3)
})

test('a frequent name is not replaced by many rare ones', () => {
  const { metrics, observe } = create()
  observe('Shop', 100)
  for (let index = 0; index < 1_000; index += 1) observe(`Bad${index}`, 1)
  observe('Shop', 1)
  expect(countOf(metrics, 'Shop')).toBe(101)
  expect(total(metrics)).toBe(1_101)
  expect(metrics.byOperation().size).toBeLessThanOrEqual(4)
})
