import { GraphQLError } from 'graphql'
import { expect, test } from 'vitest'
import { createErrorFormatter } from '../../src/graphql/errors.js'

const format = createErrorFormatter({ describeOperationalError: () => null, suggestsNames: true })
const formatted = (thrown: GraphQLError) => format({ message: thrown.message, extensions: thrown.extensions }, thrown)

test('errors of a context function or a plugin are masked although Apollo wraps them in a GraphQLError with their message', () => {
  const wrapped = new GraphQLError('Context creation failed: secret', { originalError: new Error('secret') })
  expect(JSON.stringify(formatted(wrapped))).not.toContain('secret')
  expect(formatted(wrapped).extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' })
})

test('public errors are not masked, and a scalar that rejects a variable is an error of the request', () => {
  expect(formatted(new GraphQLError('Say please')).message).toBe('Say please')
  const refused = new GraphQLError('Not a date', { originalError: new TypeError('no'), extensions: { code: 'BAD_USER_INPUT' } })
  expect(formatted(refused)).toMatchObject({ message: 'Not a date', extensions: { code: 'BAD_USER_INPUT' } })
})
