import { parse, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { adversarialDocuments } from './adversarial.js'
import { ask, createLane, schema } from './asking.js'

describe('a document that is within the limit of length and hard to compile', () => {
  test.each(Object.entries(adversarialDocuments))('%s is left to the ordinary execution', (_, source) => {
    expect(source.length).toBeLessThanOrEqual(8_192)
    expect(validate(schema, parse(source))).toEqual([])
    expect(ask(createLane(100), source)).toBe(undefined)
  })

  test('a long one is, too, whatever is in it', () => {
    const lane = createLane(100)
    expect(ask(lane, '{ __typename }'.padEnd(8_192))).toBe('{"__typename":"Query"}')
    expect(ask(lane, '{ __typename }'.padEnd(8_193))).toBe(undefined)
  })
})
