import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { lock } from './helpers/locks.js'
import { noRedis, startRedis, type TestRedis } from './helpers/redis.js'
import { until } from './helpers/until.js'

const run = promisify(execFile)

describe.skipIf(noRedis)('the recipe for a cached type (docs/add-a-type.md), applied to a copy of the project', () => {
  let copy: string
  let database: TestDatabase
  let redis: TestRedis
  let server: ChildProcess
  let url: string
  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'shop-recipe-'))
    for (const part of [
      'src',
      'packages/cached-resolvers/src',
      'packages/cached-resolvers/package.json',
      'tools',
      'package.json',
      'tsconfig.json',
      'biome.json',
      'schema.graphql',
    ])
      await cp(part, join(copy, part), { recursive: true, filter: (file) => !/node_modules/.test(file) })
    await symlink(resolve('node_modules'), join(copy, 'node_modules'))
    await applyRecipe()
    database = await createDatabase()
    redis = await startRedis()
    server = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: copy,
      env: env(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    server.stdout?.on('data', (chunk) => (output += chunk))
    const ready = /Ready: open (http[^\s"]+)/
    await until(() => ready.test(output) || server.exitCode !== null)
    url = ready.exec(output)?.[1] ?? output
  })
  afterAll(async () => {
    server.kill('SIGKILL')
    await database.drop()
    await redis.stop()
    await rm(copy, { recursive: true })
  })

  const env = () => ({
    ...{ PATH: process.env.PATH, HOME: process.env.HOME, PORT: '0', DATABASE_URL: database.url, REDIS_URL: redis.url },
    // Its processes are stopped by the database in the tests.
    ...{ CACHE_NEAR_MB: '0', DATABASE_TIMEOUT_MS: '60000', REQUEST_TIMEOUT_MS: '120000', AUDIT_INTERVAL_MS: '0' },
  })

  /** Files as they stand there; of the diff, imports are put in front, and its line below the one that it stands under. */
  async function applyRecipe(): Promise<void> {
    const recipe = await readFile('docs/add-a-type.md', 'utf8')
    for (const [, file = '', text = ''] of recipe.matchAll(/`(src\/[^`]+)`[^\n]*:\n\n```(?:ts|sql)\n(.*?)```/gs)) {
      await mkdir(dirname(join(copy, file)), { recursive: true })
      await writeFile(join(copy, file), text)
    }
    const [, file = '', diff = ''] = recipe.match(/`(src\/[^`]+)`:\n\n```diff\n(.*?)```/s) ?? []
    const added = [...diff.matchAll(/^\+(.*)$/gm)].map(([, line = '']) => line)
    const [, above = ''] = diff.match(/^ (.*)\n\+/m) ?? []
    const text = await readFile(join(copy, file), 'utf8')
    expect(text).toContain(`${above}\n`)
    const imports = added.filter((line) => line.startsWith('import '))
    const lines = added.filter((line) => !imports.includes(line))
    await writeFile(join(copy, file), [...imports, text.replace(`${above}\n`, [above, ...lines, ''].join('\n'))].join('\n'))
  }

  async function ask(query: string) {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    })
    const { data, errors } = (await answer.json()) as { data: Record<string, never>; errors?: unknown }
    expect(errors).toBeUndefined()
    return data
  }
  /** Directly: npx would take a second for each. */
  const runProgram = (name: string, ...args: string[]) =>
    run(join(copy, 'node_modules/.bin', name), args, { cwd: copy, env: { ...process.env, ...env() } })
  const page = '{ product(id: "product_1") { reviews(first: 10) { totalCount nodes { id rating text userId } } } }'
  const texts = async () => JSON.stringify(await ask(page))

  test('it is clean to the linter, the compiler and the import rules', async () => {
    await runProgram('tsc', '--noEmit', '--skipLibCheck', '-p', 'tsconfig.json').catch((error) => {
      throw new Error(error.stdout)
    })
    await runProgram('biome', 'check', '--vcs-enabled=false', '--write', 'src')
    await runProgram('tsx', 'tools/check-imports.ts')
    await runProgram('tsx', 'src/commands/print-schema.ts')
    expect(await readFile(join(copy, 'schema.graphql'), 'utf8')).toMatch(/^type Review implements Node/m)
  })

  test('what is created is read at once, and what SQL inserts and changes as well', async () => {
    const create = 'createReview(userId: "user_1", productId: "product_1", rating: 5, text: "Fine")'
    expect(await ask(`mutation { ${create} { review { id rating } userErrors { code } } }`)).toEqual({
      createReview: { review: { id: 'review_1', rating: 5 }, userErrors: [] },
    })
    expect(await ask(page)).toEqual({
      product: { reviews: { totalCount: 1, nodes: [{ id: 'review_1', rating: 5, text: 'Fine', userId: 'user_1' }] } },
    })
    await database.sql`insert into reviews (product_id, user_id, rating, text) values (1, 2, 1, 'By SQL')`
    await until(async () => (await texts()).includes('By SQL'))
    await database.sql`update reviews set text = 'Changed' where id = 2`
    await until(async () => (await texts()).includes('Changed'))
    expect(await ask('{ node(id: "review_2") { ... on Review { text } } }')).toEqual({ node: { text: 'Changed' } })
    const refused = 'createReview(userId: "user_1", productId: "product_0", rating: 5, text: "x")'
    expect(await ask(`mutation { ${refused} { review { id } userErrors { code } } }`)).toEqual({
      createReview: { review: null, userErrors: [{ code: 'NOT_FOUND' }] },
    })
  })

  test('a warm read makes no SQL', async () => {
    await ask(page)
    const release = await lock(database, 'lock table reviews, products in access exclusive mode')
    try {
      expect(await texts()).toContain('Changed')
    } finally {
      await release()
    }
  })

  test('flush, warm-up, statistics, audit and live changes know it', async () => {
    expect(await ask('mutation { flushCache(namespace: REVIEWS) { __typename } }')).toBeDefined()
    await ask('mutation { flushCache(namespace: PRODUCT_REVIEWS) { __typename } }')
    await ask('mutation { warmUpCache(limit: 100) { __typename } }')
    const release = await lock(database, 'lock table reviews in access exclusive mode')
    expect(await ask('{ node(id: "review_1") { ... on Review { text } } }')).toEqual({ node: { text: 'Fine' } })
    await release()
    const { stdout } = await runProgram('tsx', 'src/commands/audit.ts', '--entries', '5000')
    expect(stdout).toMatch(/\d+ entries compared, 0 wrong/)
    const metrics = await (await fetch(new URL('/metrics', url))).text()
    expect(metrics).toMatch(/cache_fills_total\{namespace="reviews"\} [1-9]/)
    expect(metrics).toMatch(/cache_fills_total\{namespace="product-reviews"\} [1-9]/)
    expect(await database.sql`select 1 from live_changes where kind = 'review' and ids = '{2}'`).not.toEqual([])
  })

  test('its access rule is demanded where it is left out', async () => {
    const file = join(copy, 'src/shop/reviews/review-resolver.ts')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('@Access(everyone)\n', ''))
    await expect(runProgram('tsx', 'src/commands/print-schema.ts')).rejects.toThrow(/Review/)
    await writeFile(file, text)
  })
})
