import { expect, test } from 'vitest'
import { ConnectionRate } from '../../src/http/limits/connection-rate.js'
import { createClock } from '../helpers/clock.js'

test('a network may open a burst of connections, then a fixed number per second; networks are independent', () => {
  const { now, advance } = createClock()
  const rate = new ConnectionRate({ burst: 5, perSecond: 2, now })
  const take = (network: string, count: number) => Array.from({ length: count }, () => rate.take(network)).filter(Boolean).length
  expect(take('a', 9)).toBe(5)
  expect(take('b', 9)).toBe(5)
  advance(1_500)
  expect(take('a', 9)).toBe(3)
  advance(3_600_000)
  expect(take('a', 9)).toBe(5)
})
