import { describe, expect, test } from 'vitest'
import { ClockRing, ClockRingItem } from '../../src/cache/clock-ring.js'

class Item extends ClockRingItem {
  constructor(
    readonly name: string,
    bytes: number,
  ) {
    super(bytes)
  }
}

/** A ring that is full */
function createRing(names: readonly string[]) {
  const evicted: string[] = []
  const ring = new ClockRing<Item>({
    maxBytes: names.length * 10,
    random: () => 0.5,
    onEvict: ({ name }) => evicted.push(name),
  })
  const items = names.map((name) => new Item(name, 10))
  for (const item of items) ring.add(item)
  return { ring, items, evicted }
}

describe('a ring of bounded size', () => {
  test('evicts the oldest item that was not used', () => {
    const { ring, items, evicted } = createRing(['a', 'b', 'c'])
    ;(items[0] as Item).referenced = true
    ring.add(new Item('d', 10))
    expect(evicted).toEqual(['b'])
    expect(ring.bytes).toBe(30)
  })

  test('takes a new item even if all older ones were used', () => {
    const { ring, items, evicted } = createRing(['a', 'b', 'c'])
    for (const item of items) item.referenced = true
    expect(ring.add(new Item('d', 10))).toBe(true)
    expect(evicted).toEqual(['a'])
  })

  test('evicts as many items as necessary', () => {
    const { ring, evicted } = createRing(['a', 'b', 'c'])
    ring.add(new Item('d', 25))
    expect([ring.bytes, evicted]).toEqual([25, ['a', 'b', 'c']])
  })

  test('admits items that it has room for, and few others', () => {
    const draws = [0.9, 0.1]
    const ring = new ClockRing<Item>({ maxBytes: 20, random: () => draws.shift() as number, onEvict: () => undefined })
    for (const name of ['a', 'b']) {
      expect(ring.admits(10)).toBe(true)
      ring.add(new Item(name, 10))
    }
    expect([ring.admits(10), ring.admits(10)]).toEqual([false, true])
  })

  test('does not take an item larger than the ring', () => {
    const { ring, evicted } = createRing(['a', 'b', 'c'])
    expect(ring.add(new Item('d', 31))).toBe(false)
    expect([ring.bytes, evicted]).toEqual([30, []])
  })

  test('uses the room of a deleted item, and ignores a second deletion', () => {
    const { ring, items, evicted } = createRing(['a', 'b', 'c'])
    ring.delete(items[1] as Item)
    ring.delete(items[1] as Item)
    expect(ring.bytes).toBe(20)
    ring.add(new Item('d', 10))
    expect([ring.bytes, evicted]).toEqual([30, []])
  })
})
