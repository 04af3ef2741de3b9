import { fileURLToPath } from 'node:url'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const testsNamed = (name: string) => ['test', 'packages/*/test'].map((folder) => `${folder}/**/${name}`)
const longTests = testsNamed('*.long.test.ts')
const peerTests = 'test/peers/apollo.long.test.ts'
const engine = fileURLToPath(new URL('packages/cached-resolvers/src', import.meta.url))
const notOurs = ['**/node_modules/**']

/** graphql would be loaded twice otherwise, as CommonJS and as a module, and not know its own types. */
const resolve = {
  alias: [
    { find: /^graphql$/, replacement: 'graphql/index.js' },
    { find: /^cached-resolvers(\/[a-z-]+)?$/, replacement: `${engine}$1/index.ts` },
  ],
}

const shared: TestProjectInlineConfiguration = {
  resolve,
  test: {
    setupFiles: 'test/helpers/setup.ts',
    // Far away: no test is about how fast the machine is.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Files share a process: loading the application anew for each took a third of the time.
    isolate: false,
  },
}

/** The suite of Apollo Server is written for Jest, and comes with a copy of the server. */
const peerSuite: NonNullable<TestProjectInlineConfiguration['plugins']>[number] = {
  name: 'peer-suite',
  enforce: 'pre',
  resolveId(id, importer, options) {
    if (!importer?.includes('/test/peers/')) return null
    if (id === '@jest/globals') return fileURLToPath(new URL('test/peers/jest-globals.ts', import.meta.url))
    return /^@apollo\/server($|\/)/.test(id) ? this.resolve(id, import.meta.filename, options) : null
  },
}

export default defineConfig({
  // Of what is set up once for all
  resolve,
  test: {
    globalSetup: 'test/helpers/global-setup.ts',
    // Half of a test is waiting for servers, so two cores are worth four files at a time.
    maxWorkers: 4,
    // The driver asks each new connection for the types of arrays, in a promise of its own that nobody can catch. Where the connection is
    // lost meanwhile, whatever that question failed with is reported here; the process itself (main.ts) logs it.
    onUnhandledError: (error) => !('query' in error && String(error.query).includes('pg_catalog.pg_type')),
    reporters: ['default', ['json', { outputFile: 'test-report.json' }]],
    projects: [
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'quick',
          include: testsNamed('*.test.ts'),
          exclude: [...notOurs, ...longTests],
        },
      },
      {
        ...shared,
        test: {
          ...shared.test,
          name: 'long',
          include: longTests,
          exclude: [...notOurs, peerTests],
          globalSetup: 'test/helpers/find-browser.ts',
        },
      },
      {
        ...shared,
        plugins: [peerSuite],
        test: {
          ...shared.test,
          name: 'peers',
          include: [peerTests],
          exclude: notOurs,
          isolate: true,
          server: { deps: { inline: [/server-integration-testsuite/] } },
        },
      },
    ],
  },
})
