import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'

const schema = await readFile('schema.graphql', 'utf8')
const withField = schema.replace('  stock: Int!', '  stock: Int!\n  weight: Int')
const withoutField = schema.replace(/ {2}"""[^"]*"""\n {2}category: String!\n\}/, '}')

// Without the caller's environment: a git hook sets variables for its own repository.
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

test('an added field passes, a removed one fails with its name and the remedy', async () => {
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

test('an uncommitted change is checked too', async () => {
  await commit(schema)
  await write(withoutField)
  expect(await check(folder)).toMatchObject({ code: 1, output: expect.stringContaining('HEAD to now: BREAKING') })
})

test('a declared breaking change passes, and does not affect the next commit', async () => {
  await commit(schema)
  await commit(withoutField, 'No categories\n\nBREAKING CHANGE: ask for products without category')
  expect(await check(folder)).toMatchObject({
    code: 0,
    output: expect.stringContaining('The change is intended: "BREAKING CHANGE: ask'),
  })
  await commit(withoutField, 'Something else')
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('no change') })
})

test('--against checks all changes of the branch, but not later ones of the other branch', async () => {
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

test('a changed default and a new enum value pass with a warning', async () => {
  await commit(schema)
  await commit(schema.replace('limit: Int = 1000', 'limit: Int = 10').replace('  STATS\n', '  STATS\n  REVIEWS\n'))
  const { code, output } = await check(folder)
  expect(code).toBe(0)
  expect(output).toMatch(/dangerous: Default value for argument 'limit'/)
  expect(output).toMatch(/dangerous: Enum value 'REVIEWS'/)
})

test('the first commit, a shallow clone and a missing repository are reported and pass', async () => {
  await write(schema)
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('No commit to compare with') })
  await commit(schema)
  expect(await check(folder)).toMatchObject({ code: 0, output: expect.stringContaining('The last commit is the first one') })
  await commit(withoutField)
  git('clone', '--quiet', '--depth=1', `file://${folder}`, 'clone')
  const clone = await check(join(folder, 'clone'))
  expect(clone).toMatchObject({ code: 0, output: expect.stringContaining('git fetch --deepen=1') })
})
