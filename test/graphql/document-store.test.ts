import { parse } from 'graphql'
import { describe, expect, test } from 'vitest'
import { usedHeapMegabytes } from '../../packages/cached-resolvers/test/compiled-queries/heap.js'
import { maxSourceLength, parseOptions } from '../../src/graphql/document-limits.js'
import { DocumentStore } from '../../src/graphql/document-store.js'

const mebibyte = 1024 * 1024

/** Document generators; every index returns a different document */
const shapes: Record<string, (index: number) => string> = {
  comments: (index) => `{ __typename } #${index}\n`.padEnd(maxSourceLength, '#\n'),
  'one comment': (index) => `{ __typename } #${index} `.padEnd(maxSourceLength, 'x'),
  fields: (index) => `{ a${index} ${'b '.repeat(990)} }`,
  'fields within fields': (index) => `{ a${index} ${'{ a'.repeat(300)} ${'}'.repeat(300)} }`,
  'a string of escapes': (index) => `{ a${index}(b: "${'\\u4e00'.repeat(5_000)}") }`,
  'a block string': (index) => `{ a${index}(b: """${'x\\"""'.repeat(6_000)}""") }`,
}

describe('the document store', () => {
  test.each(Object.entries(shapes))('stays within its heap limit with documents with %s', async (_, shape) => {
    const before = usedHeapMegabytes()
    const store = new DocumentStore(4 * mebibyte)
    for (let index = 0; index < 60; index += 1) {
      // As when it arrives from a socket, the string must not share memory with others.
      const text = Buffer.from(shape(index)).toString()
      await store.set(String(index), parse(text, parseOptions))
    }
    expect(usedHeapMegabytes() - before).toBeLessThan(4.5)
    expect(await store.get('59')).toBeDefined()
  })

  test('keeps the positions of nodes', async () => {
    const store = new DocumentStore(mebibyte)
    await store.set('a', parse('{\n  product { id } # here\n}'))
    const document = await store.get('a')
    expect(document?.definitions[0]?.loc).toMatchObject({ start: 0, end: 27 })
    expect(document?.loc?.source.body).toContain('# here')
  })
})
