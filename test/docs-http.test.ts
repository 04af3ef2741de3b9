import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from './helpers/app.js'

const page = readFileSync('docs/http.md', 'utf8')
const examples = [...page.matchAll(/```sh\n(.*?)```\n\n```text\n(.*?)```/gs)].map(([, script = '', shown = '']) => ({
  script,
  shown,
}))

describe('docs/http.md', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test('has examples', () => {
    expect(examples.length).toBe(page.split('```sh\n').length - 1)
  })

  test.each(examples)('this does what it says: $script', async ({ script, shown }) => {
    const command = script.replaceAll('http://127.0.0.1:4000', app.origin)
    const { stdout } = await promisify(execFile)('bash', ['-ec', command])
    let rest = stdout
    for (const line of shown.trimEnd().split('\n')) {
      expect(rest).toContain(line)
      rest = rest.slice(rest.indexOf(line) + line.length)
    }
  })
})
