import type { Answer, TestApp } from './app.js'

/** Like app.query, but also returns the HTTP status. */
export async function post(
  app: TestApp,
  document: string,
  variables?: Record<string, unknown>,
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
): Promise<Answer<Record<string, any> | null> & { status: number }> {
  return postBody(app, JSON.stringify({ query: document, variables }))
}

/** Sends a body that JSON.stringify would not produce. */
export async function postBody(app: TestApp, body: string) {
  const response = await fetch(`${app.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  })
  return { status: response.status, ...((await response.json()) as Answer<never>) }
}
