import { expect, test } from 'vitest'
import { Execution, type Writer } from '../../src/compiled-queries/execution.js'
import { JsonBuffer } from '../../src/compiled-queries/json-buffer.js'
import { ObjectJsonCache } from '../../src/compiled-queries/object-json-cache.js'
import { createMemo } from './memo.js'

/** Writes names and counts the calls. */
function createWriter(maxLength: number) {
  const cache = new ObjectJsonCache({ memo: createMemo(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength })
  let times = 0
  const writeName: Writer = (value, buffer) => {
    times += 1
    buffer.text += (value as { name: string }).name
  }
  const write = cache.cachingWriter('Product', '{name}', writeName)
  return {
    cache,
    times: () => times,
    write: (value: unknown) => {
      const buffer = new JsonBuffer()
      write(value, buffer, new Execution({}, undefined))
      return buffer.toString()
    },
  }
}

test('a shared object is serialized once', () => {
  const { write, times } = createWriter(1_000)
  const product = { name: 'Vase' }
  expect([write(product), write(product), write({ name: 'Lamp' })]).toEqual(['Vase', 'Vase', 'Lamp'])
  expect(times()).toBe(2)
})

test('writers of the same fields share cached JSON, writers of other fields do not', () => {
  const { cache, times, write } = createWriter(1_000)
  const product = { name: 'Vase' }
  const same = cache.cachingWriter('Product', '{name}', () => expect.unreachable())
  const other = cache.cachingWriter('Product', '{name,price}', (_, buffer) => {
    buffer.text += 'Vase for 3'
  })
  const written = (write: Writer) => {
    const buffer = new JsonBuffer()
    write(product, buffer, new Execution({}, undefined))
    return buffer.toString()
  }
  expect([write(product), written(same), written(other)]).toEqual(['Vase', 'Vase', 'Vase for 3'])
  expect(times()).toBe(1)
})

test('an object that is not shared is serialized each time', () => {
  const { write, times } = createWriter(1_000)
  const product = { name: 'Vase', isOwn: true }
  expect([write(product), write(product)]).toEqual(['Vase', 'Vase'])
  expect(times()).toBe(2)
})

test('the same fields of different types do not share cached JSON', () => {
  const { cache, write } = createWriter(1_000)
  const product = { name: 'Vase' }
  const asUser = cache.cachingWriter('User', '{name}', (_, buffer) => {
    buffer.text += 'a user'
  })
  const buffer = new JsonBuffer()
  write(product)
  asUser(product, buffer, new Execution({}, undefined))
  expect(buffer.toString()).toBe('a user')
})

test('the cache is bounded: when it is full, all cached JSON is invalidated', () => {
  const { write, times } = createWriter(250)
  const [vase, lamp, bowl] = [{ name: 'Vase' }, { name: 'Lamp' }, { name: 'Bowl' }]
  for (const product of [vase, lamp, vase, lamp]) write(product)
  expect(times()).toBe(2)
  write(bowl)
  expect(write(vase)).toBe('Vase')
  expect(times()).toBe(4)
})

test('JSON is cached for at most 16 sets of fields of an object', () => {
  const { cache, write, times: otherTimes } = createWriter(10_000)
  const [product, other] = [{ name: 'Vase' }, { name: 'Lamp' }]
  let times = 0
  const writes = Array.from({ length: 17 }, (_, index) =>
    cache.cachingWriter('Product', `{name${index}}`, (_, buffer) => {
      times += 1
      buffer.text += index
    }),
  )
  const written = (write: Writer) => {
    const buffer = new JsonBuffer()
    write(product, buffer, new Execution({}, undefined))
    return Number(buffer.toString())
  }
  expect(writes.map(written)).toEqual([...writes.keys()])
  expect([written(writes[16] as Writer), times]).toEqual([16, 17])
  expect([written(writes[0] as Writer), times]).toEqual([0, 18])

  // Always selecting other fields does not invalidate the whole cache.
  write(other)
  for (let round = 0; round < 200; round += 1) writes.map(written)
  write(other)
  expect(otherTimes()).toBe(1)
})

test('JSON with pending promises is not cached', async () => {
  const cache = new ObjectJsonCache({ memo: createMemo(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength: 1_000 })
  const write = cache.cachingWriter('Product', '{name}', (value, buffer, execution) => {
    buffer.text += '<'
    execution.writeLater((value as { later: Promise<string> }).later, buffer, (settled, placeholder) => {
      placeholder.text += settled
    })
    buffer.text += '>'
  })
  const product = { later: Promise.resolve('Vase') }
  for (const _ of [1, 2])
    expect(await new Execution({}, undefined).start((__, buffer, execution) => write(product, buffer, execution))).toBe('<Vase>')
})

test('a writer that throws does so each time', () => {
  const cache = new ObjectJsonCache({ memo: createMemo(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength: 1_000 })
  const write = cache.cachingWriter('Product', '{name}', (_, buffer) => {
    buffer.text += '<'
    throw new Error('no name')
  })
  const product = {}
  for (const _ of [1, 2]) expect(() => write(product, new JsonBuffer(), new Execution({}, undefined))).toThrow('no name')
})
