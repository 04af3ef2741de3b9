import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Otherwise graphql is loaded twice, as CommonJS and as a module, and does not know its own types.
  resolve: { alias: { graphql: 'graphql/index.js' } },
  test: {
    globalSetup: 'test/helpers/global-setup.ts',
    setupFiles: 'test/helpers/setup.ts',
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Most of a test is waiting for servers, so two cores are worth two files at a time.
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: 'test-report.json' }]],
  },
})
