import { readFileSync } from 'node:fs'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { createDatabase } from '../helpers/database.js'
import { installPackages } from '../helpers/packages.js'
import { createServer, responses } from './apollo-adapter.js'
import { deviations, titles } from './jest-globals.js'

// The integration suite of Apollo Server. All tests must pass except the deviations listed in docs/conformance.md.

const packages = await installPackages('test/peers')
vi.setConfig({ testTimeout: 30_000 })
const page = readFileSync('docs/conformance.md', 'utf8')
const [, section = ''] = /## Apollo Server's suite\n(.*?)(?:\n## |$)/s.exec(page) ?? []
for (const [, title = ''] of section.matchAll(/^\| `(.+?)` \|/gm)) deviations.add(title)

describe.skipIf(packages.state === 'unreachable')('the integration suite of Apollo Server', async () => {
  const database = await createDatabase()
  afterAll(() => database.drop())
  const suite = '@apollo/server-integration-testsuite'
  const { defineIntegrationTestSuite } = await import(suite)
  defineIntegrationTestSuite((options: never, { context }: { context?: never } = {}) => createServer(database, options, context))

  test('passes except for the deviations that docs/conformance.md lists and counts', () => {
    for (const title of deviations)
      expect(
        titles.filter((existing) => existing === title),
        title,
      ).toHaveLength(1)
    const [passed, of] = /(\d+) of its (\d+) tests pass/.exec(section)?.slice(1).map(Number) ?? []
    expect({ passed, of }).toEqual({ passed: titles.length - deviations.size, of: titles.length })
    expect(responses.different).toEqual([])
    expect(responses.all - responses.byApollo).toBeGreaterThanOrEqual(100)
  })
})
