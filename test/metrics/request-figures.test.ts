import { expect, test } from 'vitest'
import { RequestFigures } from '../../src/platform/metrics/request-figures.js'
import { createClock } from '../helpers/clock.js'

const hour = 3_600_000
const countOf = (figures: RequestFigures, name: string) => figures.byOperation().get(name)?.endings.ok
const total = (figures: RequestFigures) => [...figures.byOperation().values()].reduce((sum, { endings }) => sum + endings.ok, 0)

function create() {
  const clock = createClock()
  const figures = new RequestFigures({ maxOperations: 3, now: clock.now })
  const observe = (name: string, times: number) => {
    for (let time = 0; time < times; time += 1) figures.observe(name, 'ok', 0.001)
  }
  return { clock, figures, observe }
}

test('names that nobody sends any more make room for those that come often, and nothing is lost of the sums', () => {
  const { clock, figures, observe } = create()
  for (const name of ['Bad1', 'Bad2', 'Bad3']) observe(name, 8)
  observe('Shop', 4)
  expect(countOf(figures, 'Shop')).toBeUndefined()
  expect(countOf(figures, 'other')).toBe(4)
  clock.advance(hour)
  observe('Shop', 10)
  expect(countOf(figures, 'Shop')).toBe(10)
  expect(total(figures)).toBe(24 + 14)
  expect([...figures.byOperation().keys()].filter((name) => name !== 'other')).toHaveLength(3)
})

test('a name that comes often is not driven out by ever new ones, whatever their number', () => {
  const { figures, observe } = create()
  observe('Shop', 100)
  for (let index = 0; index < 1_000; index += 1) observe(`Bad${index}`, 1)
  observe('Shop', 1)
  expect(countOf(figures, 'Shop')).toBe(101)
  expect(total(figures)).toBe(1_101)
  expect(figures.byOperation().size).toBeLessThanOrEqual(4)
})
