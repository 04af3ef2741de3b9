import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig, variableNames } from '../src/config.js'
import { startTestApp, type TestApp } from './helpers/app.js'

const readme = readFileSync('README.md', 'utf8')

interface Example {
  document: string
  /** What the README says that comes back */
  answer: string | undefined
}

const examples: Example[] = [...readme.matchAll(/```graphql\n(.*?)```(?:\n\n```json\n(.*?)```)?/gs)].map(
  ([, document = '', answer]) => ({
    document,
    answer,
  }),
)

describe('the README', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test.each(examples)('this runs as it stands: $document', async ({ document, answer }) => {
    const result = await app.query(document)
    expect(result.errors).toBeUndefined()
    if (answer !== undefined) expect(result).toEqual(JSON.parse(answer))
  })

  test('its curl command asks the first example', () => {
    const [, body = ''] = /-d '(.*)'/.exec(readme) ?? []
    expect(JSON.parse(body).query.trim()).toBe(examples[0]?.document.trim())
  })

  test('names every variable, with its default', () => {
    const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\|/gm)].map(([, name, value]) => [name, value])
    const defaults = readConfig({}) as Record<string, unknown>
    const expected = variableNames.map((name) => [name, defaults[name] === undefined ? undefined : String(defaults[name])])
    expect(rows).toEqual(expected)
  })

  test('its commands exist', () => {
    const scripts = JSON.parse(readFileSync('package.json', 'utf8')).scripts
    for (const [, script = ''] of readme.matchAll(/`npm run (\w+)/g)) expect(scripts).toHaveProperty(script)
  })
})
