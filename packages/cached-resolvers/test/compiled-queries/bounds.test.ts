import { parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { adversarialDocuments } from './adversarial.js'
import { createCompiledQueries, runCompiled, schema } from './run-compiled.js'

describe('a document within the length limit that is expensive to compile', () => {
  test.each(Object.entries(adversarialDocuments))('%s is left to the standard execution', (_, source) => {
    expect(source.length).toBeLessThanOrEqual(8_192)
    expect(validate(schema, parse(source))).toEqual([])
    expect(runCompiled(createCompiledQueries(100), source)).toBe(undefined)
  })

  test('and so is a document over the length limit', () => {
    const compiledQueries = createCompiledQueries(100)
    expect(runCompiled(compiledQueries, '{ __typename }'.padEnd(8_192))).toBe('{"__typename":"Query"}')
    expect(runCompiled(compiledQueries, '{ __typename }'.padEnd(8_193))).toBe(undefined)
  })
})
