import { describe, expect, test } from 'vitest'
import { ClockMap, ClockMapItem } from '../../src/cache/clock-map.js'

function filled(names: readonly string[], deleted: string[] = []) {
  const map = new ClockMap<ClockMapItem>({
    maxBytes: names.length * 10,
    random: () => 0.5,
    onDelete: ({ key }) => deleted.push(key),
  })
  for (const name of names) map.set(new ClockMapItem(name, 10))
  return map
}

describe('a map of bounded size', () => {
  test('evicts the oldest item that was not used', () => {
    const deleted: string[] = []
    const map = filled(['a', 'b', 'c'], deleted)
    map.get('a')
    map.set(new ClockMapItem('d', 10))
    expect(deleted).toEqual(['b'])
    expect(map.bytes).toBe(30)
  })

  test('keeps a new item even if all older ones were used', () => {
    const deleted: string[] = []
    const map = filled(['a', 'b', 'c'], deleted)
    for (const name of ['a', 'b', 'c']) map.get(name)
    map.set(new ClockMapItem('d', 10))
    expect(deleted).toEqual(['a'])
    expect(map.get('d')?.key).toBe('d')
  })

  test('evicts as many items as necessary', () => {
    const map = filled(['a', 'b', 'c'])
    map.set(new ClockMapItem('d', 25))
    expect([map.bytes, map.get('a'), map.get('d')?.key]).toEqual([25, undefined, 'd'])
  })

  test('admits items that it contains or has room for, and few others', () => {
    const draws = [0.9, 0.1]
    const map = new ClockMap<ClockMapItem>({ maxBytes: 20, random: () => draws.shift() as number })
    for (const name of ['a', 'b']) {
      expect(map.admits(name, 10)).toBe(true)
      map.set(new ClockMapItem(name, 10))
    }
    expect([map.admits('a', 10), map.admits('c', 10), map.admits('c', 10)]).toEqual([true, false, true])
  })

  test('does not keep an item larger than the map, and removes the previous item of that key', () => {
    const map = filled(['a', 'b', 'c'])
    expect(map.set(new ClockMapItem('a', 31))).toBe(false)
    expect([map.bytes, map.get('a'), map.get('b')?.key]).toEqual([20, undefined, 'b'])
  })
})
