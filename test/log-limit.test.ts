import { expect, test } from 'vitest'
import { LogLimit } from '../src/platform/log/log-limit.js'
import { createClock } from './helpers/clock.js'

test('a message is written 100 times in a burst and then 10 times per second, independently of others, and omitted lines are counted', () => {
  const clock = createClock()
  const limit = new LogLimit(clock.now)
  const written = (message: string, times: number) =>
    Array.from({ length: times }, () => limit.admit(message)).filter((omitted) => omitted !== undefined)
  expect(written('request', 1_000)).toEqual(Array(100).fill(0))
  expect(limit.admit('other')).toBe(0)
  clock.advance(1_000)
  expect(written('request', 100)).toEqual([900, ...Array(9).fill(0)])
})

test('the total over different messages is limited, too', () => {
  const clock = createClock()
  const limit = new LogLimit(clock.now)
  const written = (times: number) =>
    Array.from({ length: times }, (_, index) => limit.admit(`message ${index}`)).filter((omitted) => omitted !== undefined).length
  expect(written(10_000)).toBe(500)
  clock.advance(1_000)
  expect(written(10_000)).toBe(50)
})
