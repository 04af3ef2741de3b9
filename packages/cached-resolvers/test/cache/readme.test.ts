import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('packages/cached-resolvers/README.md', 'utf8')
const [, code = ''] = /```ts\n(.*?)```/s.exec(page) ?? []
const [, output = ''] = /It prints:\n\n```\n(.*?)```/s.exec(page) ?? []

test('the example on the page of the cache engine runs, and prints what the page says', () => {
  const example = 'packages/cached-resolvers/test/cache/processes/example.ts'
  expect(readFileSync(example, 'utf8')).toBe(code)
  expect(execFileSync(process.execPath, ['--import', 'tsx', example], { encoding: 'utf8' })).toBe(output)
})
