import { GraphQLError } from 'graphql'
import { expect, test } from 'vitest'
import { createErrorFormatter } from '../../src/graphql/errors.js'

const format = createErrorFormatter({ describeFault: () => null, suggests: true })
const formatted = (thrown: GraphQLError) => format({ message: thrown.message, extensions: thrown.extensions }, thrown)

test('what a context or a plugin throws is masked, though Apollo wraps it in an error of GraphQL with its text', () => {
  const wrapped = new GraphQLError('Context creation failed: secret', { originalError: new Error('secret') })
  expect(JSON.stringify(formatted(wrapped))).not.toContain('secret')
  expect(formatted(wrapped).extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR' })
})

test('what was written for the client is not, and a scalar that refuses a variable is a fault of the request', () => {
  expect(formatted(new GraphQLError('Say please')).message).toBe('Say please')
  const refused = new GraphQLError('Not a date', { originalError: new TypeError('no'), extensions: { code: 'BAD_USER_INPUT' } })
  expect(formatted(refused)).toMatchObject({ message: 'Not a date', extensions: { code: 'BAD_USER_INPUT' } })
})
