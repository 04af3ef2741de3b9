import { buildSchema, parse } from 'graphql'
import { expect, test } from 'vitest'
import type { Context } from '../../src/graphql/context.js'
import { SharedSubscription } from '../../src/http/subscriptions/shared-subscription.js'
import type { Subscriber } from '../../src/http/subscriptions/subscriber.js'
import { Stream } from '../../src/platform/live/stream.js'
import { deferred } from '../helpers/deferred.js'

test('a subscription whose last member leaves while it starts ends once, and closes its source', async () => {
  const context = deferred<Context>()
  const events: string[] = []
  const source = new Stream<string>({ maxQueued: 1, onEnd: () => events.push('source closed') })
  const schema = buildSchema('type Query { unused: Int } type Subscription { changed: Int }')
  Object.assign(schema.getSubscriptionType()?.getFields().changed ?? {}, { subscribe: () => source })
  const shared = new SharedSubscription({
    args: { schema, document: parse('subscription { changed }') },
    bytes: 0,
    cost: 0,
    schedule: async () => undefined,
    isOutage: () => false,
    format: () => ({}),
    onResult: () => undefined,
    maxQueued: 1,
    onEnd: () => events.push('ended'),
  })
  const member = shared.join({ createContext: () => context.promise } as Subscriber, () => undefined)
  const started = shared.ensureStarted()
  await member.return()
  expect(events).toEqual(['ended'])
  context.resolve({} as Context)
  expect(await started).toEqual([])
  expect(events).toEqual(['ended', 'source closed'])
})
