import { mintToken } from '../../src/platform/auth/mint-token.js'
import type { Answer, TestApp } from './app.js'

export const secret = 'a secret of the tests, 32 bytes or more'

export function adminToken(): Promise<string> {
  return mintToken({ secret, issuer: undefined, audience: undefined, role: 'admin', userId: undefined, expiresIn: '1h' })
}

export function customerToken(userId: string): Promise<string> {
  return mintToken({ secret, issuer: undefined, audience: undefined, role: 'customer', userId, expiresIn: '1h' })
}

/** Like app.query with a token (or none), but also returns status and headers. */
export async function ask(app: TestApp, token: string | null, query: string, variables?: Record<string, unknown>) {
  const response = await fetch(`${app.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== null && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  })
  const { status, headers } = response
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
  return { status, headers, ...((await response.json()) as Answer<Record<string, any> | null>) }
}
