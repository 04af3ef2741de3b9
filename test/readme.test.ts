import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig, variableNames } from '../src/config.js'
import { usage } from '../src/usage.js'
import { startTestApp, type TestApp } from './helpers/app.js'

const readme = readFileSync('README.md', 'utf8')
const api = readFileSync('docs/api.md', 'utf8')
const pages = ['.', 'docs', 'bench', 'packages/cached-resolvers', 'examples/storefront'].flatMap((folder) =>
  readdirSync(folder).flatMap((name) => (name.endsWith('.md') ? [join(folder, name)] : [])),
)

interface Example {
  document: string
  /** The response that the page shows */
  answer: string | undefined
}

function examplesOf(page: string): Example[] {
  return [...page.matchAll(/```graphql\n(.*?)```(?:\n\n```json\n(.*?)```)?/gs)].map(([, document = '', answer]) => ({
    document,
    answer,
  }))
}

/** Rows of tables of settings: name and default */
function settingsOf(page: string): (string | undefined)[][] {
  return [...page.matchAll(/^\| `([A-Z_]+)` \| (?:`(.*?)`)? ?\|/gm)].map(([, name, value]) => [name, value])
}

describe('the documentation', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app.stop())

  test.each([...examplesOf(readme), ...examplesOf(api)])('this runs as it stands: $document', async ({ document, answer }) => {
    const result = await app.query(document)
    expect(result.errors).toBeUndefined()
    if (answer !== undefined) expect(result).toEqual(JSON.parse(answer))
  })

  test("the README's curl command asks the first example", () => {
    const [, body = ''] = /-d '(.*)'/.exec(readme) ?? []
    expect(JSON.parse(body).query.trim()).toBe(examplesOf(readme)[0]?.document.trim())
  })

  test('docs/configuration.md names every variable with its default, and the README some of them', () => {
    const defaults = readConfig({}) as Record<string, unknown>
    const expected = variableNames.map((name) => [name, defaults[name] === undefined ? undefined : String(defaults[name])])
    expect(settingsOf(readFileSync('docs/configuration.md', 'utf8'))).toEqual(expected)
    expect(settingsOf(readme)).toHaveLength(10)
    expect([...usage.matchAll(/^ {2}([A-Z_]+) /gm)].map(([, name]) => name)).toEqual(settingsOf(readme).map(([name]) => name))
    expect(expected).toEqual(expect.arrayContaining(settingsOf(readme)))
  })

  test("the README's declaration and line are those of the recipe, which a test applies", () => {
    const recipe = readFileSync('docs/add-a-type.md', 'utf8')
    const blocks = readme.match(/```(?:ts|diff)\n.*?```\n/gs) ?? []
    expect(blocks).toHaveLength(2)
    for (const block of blocks) expect(recipe).toContain(block)
  })

  test('the README can be read to its end', () => {
    expect(readme.split('\n').length).toBeLessThanOrEqual(220)
  })

  test.each(pages)('%s names commands that exist, and links to places that exist', (page) => {
    const text = readFileSync(page, 'utf8')
    if (!page.startsWith('examples')) {
      const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
      for (const [, script = ''] of text.matchAll(/npm run (?:--silent )?([\w:]+)(?![\w:]| --prefix)/g))
        expect(Object.keys(scripts)).toContain(script)
    }
    for (const [, path = '', anchor] of text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? page : join(dirname(page), path)
      expect(existsSync(target), `${page}: ${path}`).toBe(true)
      if (anchor !== undefined) expect(anchorsOf(target), `${page}: ${path}`).toContain(anchor)
    }
  })
})

/** As GitHub names headings */
function anchorsOf(page: string): string[] {
  const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
