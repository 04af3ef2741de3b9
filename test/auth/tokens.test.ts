import { createSecretKey } from 'node:crypto'
import { request } from 'node:http'
import { type JWTPayload, SignJWT, UnsecuredJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../helpers/app.js'
import { ask, secret } from '../helpers/tokens.js'

const issuer = 'https://login.shop.example'
const audience = 'shop'
const seconds = () => Math.floor(Date.now() / 1000)
const good = () => ({ role: 'customer', sub: 'user_1', iss: issuer, aud: audience, exp: seconds() + 60 })

function sign(claims: JWTPayload, key = secret, alg = 'HS256'): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(createSecretKey(Buffer.from(key)))
}

const document = '{ user(id: "user_1") { id } product(id: "product_1") { id } }'
let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { AUTH_JWT_SECRET: secret, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } })
})
afterAll(() => app.stop())

describe('a token is accepted', () => {
  test.each<[string, JWTPayload]>([
    ['of a customer', {}],
    ['of an administrator, without a user id', { role: 'admin', sub: undefined as never }],
    ['for several audiences', { aud: ['other', audience] }],
    ['that expired within the clock tolerance', { exp: seconds() - 2 }],
    ['that becomes valid within the clock tolerance', { nbf: seconds() + 5 }],
  ])('%s', async (_, claims) => {
    const { status, data } = await ask(app, await sign({ ...good(), ...claims }), document)
    expect({ status, data }).toEqual({ status: 200, data: { user: { id: 'user_1' }, product: { id: 'product_1' } } })
  })
})

describe('a token is refused', () => {
  const rejection = async (token: string) => {
    const answer = await ask(app, token, document)
    const { message, extensions } = answer.errors?.[0] ?? {}
    expect(answer).toMatchObject({ status: 401, errors: [{ extensions: { requestId: answer.headers.get('x-request-id') } }] })
    expect(extensions?.code).toBe('UNAUTHENTICATED')
    expect(answer.data).toBe(undefined)
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="graphql", error="invalid_token", error_description="${message}"`,
    )
    expect(JSON.stringify([answer, ...answer.headers])).not.toContain(token)
    return message
  }
  const none = undefined as never

  test.each<[string, JWTPayload, string]>([
    ['that has expired', { exp: seconds() - 60 }, 'The token has expired'],
    ['that never expires', { exp: none }, "The token's claim exp is missing or not accepted"],
    ['that is not valid yet', { nbf: seconds() + 60 }, "The token's claim nbf is missing or not accepted"],
    ['of another issuer', { iss: 'https://evil.example' }, "The token's claim iss is missing or not accepted"],
    ['of no issuer', { iss: none }, "The token's claim iss is missing or not accepted"],
    ['for another audience', { aud: 'other' }, "The token's claim aud is missing or not accepted"],
    ['of no role', { role: none }, "The token's claim role must be customer or admin"],
    ['of an unknown role', { role: 'root' }, "The token's claim role must be customer or admin"],
    ['of several roles', { role: ['customer', 'admin'] }, "The token's claim role must be customer or admin"],
    ['of a customer without a user', { sub: none }, "The token's claim sub must be a user's id, such as user_1"],
    ['of a customer who is no user', { sub: 'order_1' }, "The token's claim sub must be a user's id, such as user_1"],
  ])('%s', async (_, claims, message) => {
    expect(await rejection(await sign({ ...good(), ...claims }))).toBe(message)
  })

  test('signed with another secret', async () => {
    expect(await rejection(await sign(good(), secret.replace('a', 'b')))).toBe('The signature of the token is wrong')
  })

  test('with another algorithm, or none', async () => {
    const message = 'The token is signed with an algorithm that is not accepted'
    expect(await rejection(await sign(good(), secret.repeat(2), 'HS512'))).toBe(message)
    expect(await rejection(new UnsecuredJWT(good()).encode())).toMatch(/not accepted|cannot be verified/)
  })

  test('altered after it was accepted', async () => {
    const token = await sign(good())
    expect((await ask(app, token, document)).status).toBe(200)
    const [header = '', , signature = ''] = token.split('.')
    const claims = Buffer.from(JSON.stringify({ ...good(), role: 'admin' })).toString('base64url')
    expect(await rejection([header, claims, signature].join('.'))).toBe('The signature of the token is wrong')
  })

  test.each(['not-a-token', 'aaa.bbb.ccc', '....', 'x'.repeat(8_000)])('that is malformed: %.20s', async (token) => {
    expect(await rejection(token)).toBe('The token is not a JSON Web Token that can be verified')
  })
})

describe('a header Authorization without a bearer token is refused for every request', () => {
  const malformed = 'The header Authorization must be "Bearer <token>"'
  const send = (method: string, path: string, authorization: string) =>
    new Promise<{ status: number | undefined; body: string; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
      const headers = { authorization, 'content-type': 'application/json', origin: 'https://studio.apollographql.com' }
      const sent = request(`${app.origin}${path}`, { method, agent: false, headers }, (response) => {
        let body = ''
        response.on('data', (chunk) => (body += chunk))
        response.on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }))
      })
      sent.on('error', reject)
      sent.end(method === 'POST' ? JSON.stringify({ query: document }) : undefined)
    })

  test.each(['', 'Bearer', 'Bearer ', 'Basic dXNlcjpwYXNz', 'bearertoken', 'Bearer a b', 'Token x', 'Bearer "x"'])(
    'Authorization: %s',
    async (authorization) => {
      const { status, body } = await send('POST', '/graphql', authorization)
      expect({ status, message: JSON.parse(body).errors[0].message }).toEqual({ status: 401, message: malformed })
    },
  )

  test.each([
    ['POST', '/graphql'],
    ['GET', '/graphql?query=%7B__typename%7D'],
    ['GET', '/health'],
    ['GET', '/nowhere'],
  ])('%s %s, readable by a page of another origin', async (method, path) => {
    const { status, body, headers } = await send(method, path, 'Bearer x')
    expect(status).toBe(401)
    expect(JSON.parse(body).errors[0].extensions.code).toBe('UNAUTHENTICATED')
    expect(headers).toMatchObject({
      'www-authenticate': expect.stringContaining('error="invalid_token"'),
      'access-control-allow-origin': 'https://studio.apollographql.com',
    })
  })

  test('a CORS preflight for a token is accepted', async () => {
    const response = await fetch(`${app.origin}/graphql`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://studio.apollographql.com',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-headers')).toContain('authorization')
  })

  test('the scheme Bearer is case-insensitive', async () => {
    const authorization = `bEARER  ${await sign(good())}`
    expect((await send('POST', '/graphql', authorization)).status).toBe(200)
  })
})

test.each(['/metrics', '/dashboard/metrics', '/dashboard/entry?namespace=stats&id=totals'])(
  '%s is for administrators only',
  async (path) => {
    const get = async (token?: string) => {
      const response = await fetch(
        `${app.origin}${path}`,
        token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
      )
      const code = response.ok
        ? null
        : ((await response.json()) as { errors: Answer<never>['errors'] }).errors?.[0]?.extensions.code
      return [response.status, code, response.headers.get('www-authenticate')]
    }
    expect(await get()).toEqual([401, 'UNAUTHENTICATED', 'Bearer realm="graphql"'])
    expect(await get(await sign(good()))).toEqual([403, 'FORBIDDEN', null])
    expect(await get(await sign({ ...good(), role: 'admin' }))).toEqual([200, null, null])
  },
)

test('a GET without a token for a protected field is answered with 401, too', async () => {
  const response = await fetch(`${app.origin}/graphql?query=${encodeURIComponent('{ cacheInfo { backend } }')}`, {
    headers: { 'apollo-require-preflight': 'yes' },
  })
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="graphql"')
  expect(await response.json()).toMatchObject({ data: null, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
})
