import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const schema = await readFile('schema.graphql', 'utf8')
const withField = schema.replace('  stock: Int!', '  stock: Int!\n  weight: Int')
const withoutField = schema.replace('  category: String!\n}', '}')

// Not those of whoever runs the tests: a hook of git names its own repository.
const env = { PATH: process.env.PATH, HOME: tmpdir(), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
const script = resolve('tools/check-schema.ts')
const tsx = resolve('node_modules/tsx/dist/loader.mjs')

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'schema-check-'))
  git('init', '--quiet', '--initial-branch=main')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function git(...words: string[]): void {
  const author = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com']
  execFileSync('git', [...author, ...words], { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] })
}

const write = (text: string) => writeFile(join(folder, 'schema.graphql'), text)

async function commit(text: string, message = 'A change'): Promise<void> {
  await write(text)
  git('add', '.')
  git('commit', '--quiet', '--allow-empty', '--message', message)
}

async function check(cwd: string, ...words: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', tsx, script, ...words], { cwd, env })
    return { code: 0, output: stdout }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, output: stdout + stderr }
  }
}

test('an added field passes, a removed one fails with its name and what to do', async () => {
  await commit(schema)
  await commit(withField)
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('none that breaks a client') })

  await commit(withoutField)
  const { code, output } = await check(folder)
  expect(code).toBe(1)
  expect(output).toContain("BREAKING: Field 'weight' was removed from object type 'Product'")
  expect(output).toContain("BREAKING: Field 'category' was removed from object type 'Product'")
  expect(output).toContain('"BREAKING CHANGE: what clients have to do"')
})

test('a change that is not committed yet is looked at too', async () => {
  await commit(schema)
  await write(withoutField)
  expect(await check(folder)).toMatchObject({ code: 1, output: expect.stringContaining('HEAD to now: BREAKING') })
})

test('a breaking commit that says so passes, and the next one is not held up by it', async () => {
  await commit(schema)
  await commit(withoutField, 'No categories\n\nBREAKING CHANGE: ask for products without category')
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('It is meant: "BREAKING CHANGE: ask') })
  await commit(withoutField, 'Something else')
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('no change') })
})

test('--against looks at all that the branch did, and not at what the other one did since', async () => {
  await commit(schema)
  git('checkout', '--quiet', '-b', 'work')
  await commit(withoutField)
  await commit(withoutField, 'Something else')
  git('checkout', '--quiet', 'main')
  await commit(withField)
  git('checkout', '--quiet', 'work')
  const { code, output } = await check(folder, '--against', 'main')
  expect(code).toBe(1)
  expect(output).toContain("'category' was removed")
  expect(output).not.toContain("'weight'")
  expect(await check(folder, '--against', 'nowhere')).toMatchObject({ code: 1, output: expect.stringContaining('git fetch') })
})

test('a new default and a new value of an enum pass, with a word of warning', async () => {
  await commit(schema)
  await commit(schema.replace('limit: Int = 1000', 'limit: Int = 10').replace('  STATS\n', '  STATS\n  REVIEWS\n'))
  const { code, output } = await check(folder)
  expect(code).toBe(0)
  expect(output).toMatch(/look twice: Default value for argument 'limit'/)
  expect(output).toMatch(/look twice: Enum value 'REVIEWS'/)
})

test('the first commit, a shallow clone and no repository at all are told of, and pass', async () => {
  await write(schema)
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('There is no commit here') })
  await commit(schema)
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('It is the first one') })
  await commit(withoutField)
  git('clone', '--quiet', '--depth=1', `file://${folder}`, 'clone')
  const clone = await check(join(folder, 'clone'))
  expect(clone).toMatchObject({ code: 0, output: expect.stringContaining('git fetch --deepen=1') })
})
