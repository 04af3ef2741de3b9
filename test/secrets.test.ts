import { expect, test } from 'vitest'
import { createRedactor, secretsOf } from '../src/platform/log/secrets.js'

test('the secrets of a configuration are passwords in URLs and settings with the name of a secret', () => {
  const secrets = secretsOf({
    DATABASE_URL: 'postgres://shop:hunter%2F2@db.example/shop',
    REDIS_SENTINEL_NODES: ['redis://:correct-horse@a:1', 'redis://b:2'],
    AUTH_JWT_SECRET: 'a secret to sign with',
    OTEL_EXPORTER_OTLP_HEADERS: { authorization: 'Bearer of-the-collector' },
    HOST: '127.0.0.1',
    PORT: 4000,
    CACHE_PREFIX: undefined,
  })
  expect(secrets.sort()).toEqual(['Bearer of-the-collector', 'a secret to sign with', 'correct-horse', 'hunter%2F2', 'hunter/2'])
})

test('a password that equals the user or database name, as on a developer machine, is not redacted', () => {
  expect(secretsOf({ DATABASE_URL: 'postgres://postgres:postgres@127.0.0.1/shop' })).toEqual([])
  expect(secretsOf({ DATABASE_URL: 'postgres://user:graphql-shop@127.0.0.1/graphql-shop' })).toEqual([])
})

test.each([
  ['the password was hunter2"x', 'the password was [redacted]'],
  [JSON.stringify({ message: 'wrong: hunter2"x' }), '{"message":"wrong: [redacted]"}'],
  ['/?password=hunter2%22x', '/?password=[redacted]'],
  ['cannot reach rediss://user:anything@cache.example:6380/0', 'cannot reach rediss://user:[redacted]@cache.example:6380/0'],
  ['redis://:anything@a:1,redis://b:2', 'redis://:[redacted]@a:1,redis://b:2'],
  ['{"authorization":"Bearer eyJhbGciOi.J9.x-_y"}', '{"authorization":"Bearer [redacted]"}'],
  [
    'nothing at http://127.0.0.1:4000/graphql, nor at a@b.example',
    'nothing at http://127.0.0.1:4000/graphql, nor at a@b.example',
  ],
])('redacts: %s', (text, expected) => {
  expect(createRedactor(['hunter2"x'])(text)).toBe(expected)
})
