import { ApolloServer, type ApolloServerPlugin } from '@apollo/server'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import type { Context } from '../../src/graphql/context.js'
import { logErrors } from '../../src/http/observing/log-errors.js'

test('an error outside of resolvers, which Apollo masks, is logged with its stack and the request id', async () => {
  const lines: string[] = []
  const faulty: ApolloServerPlugin<Context> = {
    async requestDidStart() {
      return {
        async willSendResponse() {
          throw new Error('a plugin failed')
        },
      }
    },
  }
  const apollo = new ApolloServer<Context>({
    typeDefs: 'type Query { ok: Boolean }',
    logger: pino({ level: 'silent' }),
    plugins: [logErrors(pino({}, { write: (line: string) => lines.push(line) }), () => null), faulty],
  })
  const answer = apollo.executeOperation({ query: '{ ok }' }, { contextValue: { requestId: 'the-id' } as Context })
  await expect(answer).rejects.toThrow('Internal server error')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      ...{ level: 50, requestId: 'the-id', msg: 'request failed' },
      err: expect.objectContaining({ message: 'a plugin failed', stack: expect.stringContaining('log-errors.test.ts') }),
    }),
  ])
  await apollo.stop()
})
