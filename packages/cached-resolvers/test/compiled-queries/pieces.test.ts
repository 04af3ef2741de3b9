import { expect, test } from 'vitest'
import { Run, Text, type Write } from '../../src/compiled-queries/answer.js'
import { Pieces } from '../../src/compiled-queries/pieces.js'
import { createNotes } from './notes.js'

/** Writes names, and tells how often. */
function createWriter(maxLength: number) {
  const pieces = new Pieces({ notes: createNotes(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength })
  let times = 0
  const writeName: Write = (value, text) => {
    times += 1
    text.text += (value as { name: string }).name
  }
  const write = pieces.remember('Product', '{name}', writeName)
  return {
    pieces,
    times: () => times,
    write: (value: unknown) => {
      const text = new Text()
      write(value, text, new Run({}, undefined))
      return text.toString()
    },
  }
}

test('an object that comes again is not written again', () => {
  const { write, times } = createWriter(1_000)
  const product = { name: 'Vase' }
  expect([write(product), write(product), write({ name: 'Lamp' })]).toEqual(['Vase', 'Vase', 'Lamp'])
  expect(times()).toBe(2)
})

test('selections of one shape share what was written, those of others do not', () => {
  const { pieces, times, write } = createWriter(1_000)
  const product = { name: 'Vase' }
  const same = pieces.remember('Product', '{name}', () => expect.unreachable())
  const other = pieces.remember('Product', '{name,price}', (_, text) => {
    text.text += 'Vase for 3'
  })
  const written = (its: Write) => {
    const text = new Text()
    its(product, text, new Run({}, undefined))
    return text.toString()
  }
  expect([write(product), written(same), written(other)]).toEqual(['Vase', 'Vase', 'Vase for 3'])
  expect(times()).toBe(1)
})

test('an object that is not shared is written anew each time', () => {
  const { write, times } = createWriter(1_000)
  const product = { name: 'Vase', isOwn: true }
  expect([write(product), write(product)]).toEqual(['Vase', 'Vase'])
  expect(times()).toBe(2)
})

test('the same type with the same fields is not the same under another name', () => {
  const { pieces, write } = createWriter(1_000)
  const product = { name: 'Vase' }
  const asUser = pieces.remember('User', '{name}', (_, text) => {
    text.text += 'a user'
  })
  const text = new Text()
  write(product)
  asUser(product, text, new Run({}, undefined))
  expect(text.toString()).toBe('a user')
})

test('what is remembered is bounded: beyond that all of it is written anew', () => {
  const { write, times } = createWriter(250)
  const [vase, lamp, bowl] = [{ name: 'Vase' }, { name: 'Lamp' }, { name: 'Bowl' }]
  for (const product of [vase, lamp, vase, lamp]) write(product)
  expect(times()).toBe(2)
  write(bowl)
  expect(write(vase)).toBe('Vase')
  expect(times()).toBe(4)
})

test('an object is remembered in 16 selections at a time, whatever is asked for', () => {
  const { pieces, write, times: timesOfOthers } = createWriter(10_000)
  const [product, other] = [{ name: 'Vase' }, { name: 'Lamp' }]
  let times = 0
  const writes = Array.from({ length: 17 }, (_, index) =>
    pieces.remember('Product', `{name${index}}`, (_, text) => {
      times += 1
      text.text += index
    }),
  )
  const written = (its: Write) => {
    const text = new Text()
    its(product, text, new Run({}, undefined))
    return Number(text.toString())
  }
  expect(writes.map(written)).toEqual([...writes.keys()])
  expect([written(writes[16] as Write), times]).toEqual([16, 17])
  expect([written(writes[0] as Write), times]).toEqual([0, 18])

  // Whoever asks for ever other ones does not have everything forgotten.
  write(other)
  for (let round = 0; round < 200; round += 1) writes.map(written)
  write(other)
  expect(timesOfOthers()).toBe(1)
})

test('what is not all there yet is not remembered', async () => {
  const pieces = new Pieces({ notes: createNotes(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength: 1_000 })
  const write = pieces.remember('Product', '{name}', (value, text, run) => {
    text.text += '<'
    run.writeLater((value as { later: Promise<string> }).later, text, (its, hole) => {
      hole.text += its
    })
    text.text += '>'
  })
  const product = { later: Promise.resolve('Vase') }
  for (const _ of [1, 2]) expect(await new Run({}, undefined).start((__, text, run) => write(product, text, run))).toBe('<Vase>')
})

test('what cannot be written is a fault each time', () => {
  const pieces = new Pieces({ notes: createNotes(({ isOwn }: { isOwn?: boolean }) => !isOwn), maxLength: 1_000 })
  const write = pieces.remember('Product', '{name}', (_, text) => {
    text.text += '<'
    throw new Error('no name')
  })
  const product = {}
  for (const _ of [1, 2]) expect(() => write(product, new Text(), new Run({}, undefined))).toThrow('no name')
})
