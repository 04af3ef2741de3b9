import { createSecretKey } from 'node:crypto'
import { exportSPKI, importJWK, SignJWT } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { makeKey, startKeyServer, type TestKey } from '../helpers/key-server.js'
import { ask } from '../helpers/tokens.js'

const claims = { role: 'customer', sub: 'user_1', iss: 'https://login.example/', aud: 'shop' }
const document = '{ user(id: "user_1") { id } }'

let database: TestDatabase
let first: TestKey
let keyServer: Awaited<ReturnType<typeof startKeyServer>>
let app: TestApp
let clockOffsetMs: number
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  clockOffsetMs = 0
  const real = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => real() + clockOffsetMs)
  first = await makeKey('first')
  keyServer = await startKeyServer(first)
  const env = { AUTH_JWKS_URL: keyServer.url, AUTH_ISSUER: claims.iss, AUTH_AUDIENCE: claims.aud }
  app = await startTestApp({ database, env })
})
afterEach(async () => {
  vi.restoreAllMocks()
  await app.stop()
  await keyServer.stop()
})

function sign({ kid, alg, privateKey }: TestKey, parts: Record<string, unknown> = {}): Promise<string> {
  const token = new SignJWT({ ...claims, jti: crypto.randomUUID(), ...parts })
  return token.setProtectedHeader({ alg, kid }).setIssuedAt().setExpirationTime('1h').sign(privateKey)
}

async function outcome(token: string) {
  const { status, headers, data, errors } = await ask(app, token, document)
  if (status === 503) expect(headers.get('retry-after')).toBe('1')
  return [status, errors?.[0]?.extensions.code ?? data?.user?.id]
}

/** Advances the wall clock; timers are not affected. */
function advance(ms: number): void {
  clockOffsetMs += ms
}

const good = [200, 'user_1']
const bad = [401, 'UNAUTHENTICATED']
const unavailable = [503, 'SERVICE_UNAVAILABLE']

test('keys are fetched once, and all common key types are supported', async () => {
  const others = [await makeKey('rsa', 'RS256'), await makeKey('ed', 'EdDSA'), await makeKey('pss', 'PS256')]
  keyServer.serve(first, ...others)
  for (const key of [first, ...others]) expect(await outcome(await sign(key))).toEqual(good)
  expect(keyServer.requests()).toBe(1)
})

test('a new key is found after the cooldown, with one fetch', async () => {
  const second = await makeKey('second')
  expect(await outcome(await sign(first))).toEqual(good)
  keyServer.serve(first, second)
  for (let count = 0; count < 5; count += 1) expect(await outcome(await sign(second))).toEqual(bad)
  expect(keyServer.requests()).toBe(1)
  advance(31_000)
  expect(await outcome(await sign(second))).toEqual(good)
  expect(await outcome(await sign(first))).toEqual(good)
  expect(keyServer.requests()).toBe(2)
})

test('a withdrawn key is rejected after some minutes, for cached tokens too', async () => {
  const second = await makeKey('second')
  const token = await sign(first)
  expect(await outcome(token)).toEqual(good)
  keyServer.serve(second)
  expect(await outcome(token)).toEqual(good)
  advance(301_000)
  expect(await outcome(token)).toEqual(bad)
  expect(await outcome(await sign(second))).toEqual(good)
})

test.each(['failing', 'hanging'] as const)(
  'while the key server is %s, a token is answered with 503 instead of 401',
  async (state) => {
    keyServer.setState(state)
    const token = await sign(first)
    expect(await outcome(token)).toEqual(unavailable)
    // Requests without a token are not affected.
    expect((await ask(app, null, '{ product(id: "product_1") { id } }')).status).toBe(200)
    keyServer.setState('healthy')
    expect(await outcome(token)).toEqual(good)
  },
)

test.each(['failing', 'hanging'] as const)('known keys stay valid while the key server is %s', async (state) => {
  expect(await outcome(await sign(first))).toEqual(good)
  keyServer.setState(state)
  advance(301_000)
  expect(await outcome(await sign(first))).toEqual(good)
  expect(keyServer.requests()).toBe(2)
  expect(await outcome(await sign(first))).toEqual(good)
  expect(keyServer.requests()).toBe(2)
  expect(await outcome(await sign(await makeKey('unknown')))).toEqual(unavailable)
})

test('an unreachable key server causes 503 until it is back', async () => {
  const { url } = keyServer
  await keyServer.stop()
  expect(await outcome(await sign(first))).toEqual(unavailable)
  keyServer = await startKeyServer(first, Number(new URL(url).port))
  expect(await outcome(await sign(first))).toEqual(good)
})

test('a public key is never accepted as a shared secret', async () => {
  const text = await exportSPKI((await importJWK(first.jwk, first.alg)) as TestKey['privateKey'])
  const forged = new SignJWT({ ...claims, role: 'admin' }).setProtectedHeader({ alg: 'HS256', kid: first.kid })
  const token = await forged.setExpirationTime('1h').sign(createSecretKey(Buffer.from(text)))
  expect(await outcome(token)).toEqual(bad)
})

test('tokens of the same issuer for another service are refused', async () => {
  expect(await outcome(await sign(first, { aud: 'other' }))).toEqual(bad)
})
