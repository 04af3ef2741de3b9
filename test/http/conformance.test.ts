import { readFileSync } from 'node:fs'
import { ApolloServer } from '@apollo/server'
import { type Audit, serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../helpers/app.js'

type Verdict = 'passes' | 'fails'

/** Expected results by audit id, from the table in docs/conformance.md */
const page = readFileSync('docs/conformance.md', 'utf8')
const deviations = new Map(
  [...page.matchAll(/^\| `(\w{4})` \| ((?:MUST|SHOULD|MAY) [^|]+?) \|/gm)].map(([, id, name]) => [id, name]),
)

let app: TestApp
beforeAll(async () => {
  app = await startTestApp({ env: { CACHE_NEAR_MB: '8' } })
})
afterAll(() => app.stop())

const audits = (fetchFn: typeof fetch = fetch) => serverAudits({ url: `${app.origin}/graphql`, fetchFn })

/** One after another, so that a document compiled for one audit is used for the next */
async function verdicts(all: Audit[]): Promise<Record<string, Verdict>> {
  const entries: [string, Verdict][] = []
  for (const { id, name, fn } of all) {
    const { status } = await fn()
    entries.push([`${id} ${name}`, status === 'ok' ? 'passes' : 'fails'])
  }
  return Object.fromEntries(entries)
}

/** Differs if an audit fails that is not in the table, or an audit in the table passes. */
function expected(all: Audit[]): Record<string, Verdict> {
  return Object.fromEntries(all.map(({ id, name }) => [`${id} ${name}`, deviations.has(id) ? 'fails' : 'passes']))
}

describe('the audits of graphql-http', () => {
  test('pass except for the deviations that docs/conformance.md lists and counts', () => {
    const names = new Map(audits().map(({ id, name }) => [id, name]))
    for (const [id, name] of deviations) expect(names.get(id as string), id).toBe(name)
    expect([...deviations.values()].filter((name) => name?.startsWith('MUST'))).toEqual([])
    const [passed, of] = /(\d+) of the (\d+) audits pass/.exec(page)?.slice(1).map(Number) ?? []
    expect({ passed, of }).toEqual({ passed: names.size - deviations.size, of: names.size })
  })

  test('give the same results when repeated', async () => {
    for (let round = 1; round <= 4; round += 1) expect(await verdicts(audits()), `round ${round}`).toEqual(expected(audits()))
  })

  test('give the same results on the fast path', async () => {
    const apollo = vi.spyOn(ApolloServer.prototype, 'executeHTTPGraphQLRequest')
    const fastPath = { answered: 0, passedOn: 0 }
    /** Replaces the audits' query, which loads nothing, by one that loads an entity. */
    const withEntity: typeof fetch = async (url, options) => {
      const callsBefore = apollo.mock.calls.length
      const body = String(options?.body ?? '').replace('{ __typename }', '{ product(id: \\"product_1\\") { name } }')
      const response = await fetch(url, { ...options, ...(options?.body != null && { body }) })
      const isHot = options?.method === 'POST' && body.includes('product_1') && response.ok
      if (isHot) fastPath[apollo.mock.calls.length === callsBefore ? 'answered' : 'passedOn'] += 1
      return response
    }
    for (let round = 1; round <= 3; round += 1)
      expect(await verdicts(audits(withEntity)), `round ${round}`).toEqual(expected(audits()))
    Object.assign(fastPath, { answered: 0, passedOn: 0 })
    expect(await verdicts(audits(withEntity))).toEqual(expected(audits()))
    expect(fastPath).toEqual({ answered: expect.toSatisfy((count) => count >= 15), passedOn: 0 })
    apollo.mockRestore()
  })
})
