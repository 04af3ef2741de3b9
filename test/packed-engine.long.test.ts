import { type ChildProcess, execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { lock, waitingStatements } from './helpers/locks.js'
import { packEngine } from './helpers/pack.js'
import { noRedis, startRedis, type TestRedis } from './helpers/redis.js'
import { recordRedis } from './helpers/redis-recording.js'
import { serve } from './helpers/served.js'
import { until } from './helpers/until.js'

const run = promisify(execFile)

/** The packed engine: both projects below install it. */
let folder: string
let tarball: string
beforeAll(async () => {
  ;({ folder, tarball } = await packEngine())
})
afterAll(() => rm(folder, { recursive: true }))

test('the packed engine is installed into an empty project, type-checks there, and prints what its README says', async () => {
  const project = join(folder, 'empty')
  await mkdir(project)
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const inProject = { cwd: project }
  await run('npm', ['install', '--no-audit', '--no-fund', `../${tarball}`], inProject)
  await cp('packages/cached-resolvers/test/processes/declared.ts', join(project, 'declared.ts'))
  // The compiler and the types of Node of this repository, but no other package of it
  const types = ['--types', 'node', '--typeRoots', resolve('node_modules/@types')]
  const settings = ['--module', 'nodenext', '--target', 'es2022', '--strict']
  await run('node', [resolve('node_modules/typescript/bin/tsc'), ...types, ...settings, 'declared.ts'], inProject)

  const page = await readFile(join(project, 'node_modules/cached-resolvers/README.md'), 'utf8')
  const [, output] = /It prints:\n\n```\n(.*?)```/s.exec(page) ?? []
  expect((await run('node', ['declared.js'], inProject)).stdout).toBe(output)
})

describe.skipIf(noRedis)('examples/blog, with the packed engine', () => {
  let blog: string
  let database: TestDatabase
  let redis: TestRedis
  const started: ChildProcess[] = []
  beforeAll(async () => {
    blog = join(folder, 'blog')
    await cp('examples/blog', blog, { recursive: true, filter: (file) => !/node_modules|package-lock/.test(file) })
    await run('npm', ['install', '--no-audit', '--no-fund', `../${tarball}`], { cwd: blog })
    database = await createDatabase()
    await database.sql.unsafe('drop schema public cascade; create schema public').simple()
    redis = await startRedis()
  })
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL')
    await database.drop()
    await redis.stop()
  })
  const env = () => ({ ...process.env, DATABASE_URL: database.url, REDIS_URL: redis.url, PORT: '0' })

  async function serveBlog() {
    const served = await serve('src/main.ts', { cwd: blog, env: env() })
    started.push(served.child)
    return served
  }
  type Ask = Awaited<ReturnType<typeof serve>>['ask']
  const running: Ask[] = []
  /** That many processes: those that earlier tests started, and new ones if there are too few */
  async function processes(count: number): Promise<Ask[]> {
    const missing = Array.from({ length: Math.max(count - running.length, 0) }, serveBlog)
    running.push(...(await Promise.all(missing)).map(({ ask }) => ask))
    return running.slice(0, count)
  }
  const nested = '{ posts { title author { name } commentCount comments { text author { name } } } }'
  const answer = {
    data: {
      posts: [
        {
          title: 'On notes',
          author: { name: 'Ada' },
          commentCount: 1,
          comments: [{ text: 'More, please', author: { name: 'Grace' } }],
        },
        { title: 'On compilers', author: { name: 'Grace' }, commentCount: 0, comments: [] },
        {
          title: 'On engines',
          author: { name: 'Ada' },
          commentCount: 1,
          comments: [{ text: 'Well said', author: { name: 'Grace' } }],
        },
      ],
    },
  }

  test('type-checks', async () => {
    await run('npm', ['run', 'check'], { cwd: blog })
  })

  test('a warm nested query is one MGET per level and no SQL', async () => {
    const [first] = (await processes(1)) as [Ask]
    expect(await first(nested)).toEqual(answer)
    // Another process, whose near store is empty
    const [, ask] = (await processes(2)) as [Ask, Ask]
    const recording = await recordRedis(redis)
    const release = await lock(database, 'lock table authors, posts, comments in access exclusive mode')
    try {
      expect(await ask(nested)).toEqual(answer)
      // One MGET each for the page, its posts, their authors and comment lists, and the comments; their author is already loaded by then.
      expect((await recording.take()).map(([name]) => name)).toEqual(['mget', 'mget', 'mget', 'mget'])
    } finally {
      await release()
      recording.stop()
    }
  })

  test('a change by plain SQL becomes visible, a change by a mutation is visible immediately in all processes', async () => {
    const [ask, other] = (await processes(2)) as [Ask, Ask]
    for (const each of [ask, other])
      expect((await each('{ author(id: "author_2") { name } }')).data).toEqual({ author: { name: 'Grace' } })
    await database.sql`update authors set name = 'Grace Hopper' where id = 2`
    for (const each of [ask, other])
      await until(async () => JSON.stringify((await each('{ author(id: "author_2") { name } }')).data).includes('Grace Hopper'))

    const counted = '{ post(id: "post_2") { commentCount } }'
    expect((await other(counted)).data).toEqual({ post: { commentCount: 0 } })
    expect((await ask('mutation { addComment(postId: "post_2", authorId: "author_1", text: "Yes") }')).errors).toBeUndefined()
    expect((await other(counted)).data).toEqual({ post: { commentCount: 1 } })
  })

  test('processes that start at the same time do not deadlock', async () => {
    // Both wait with the locks that they have by then.
    const release = await lock(database, 'lock table posts in access exclusive mode')
    const starting = processes(4)
    await until(async () => (await waitingStatements(database)).length >= 2)
    await release()
    await starting
  })

  test('four processes that request the same cold key run one SQL statement', async () => {
    const four = await processes(4)
    await redis.client.flushall()
    // No near store has it.
    await database.sql`insert into authors (id, name) values (3, 'Barbara')`
    for (const ask of four) await until(async () => (await ask('{ post(id: "post_1") { title } }')).errors === undefined)
    await until(async () => (await redis.client.keys('blog:*:registration:*')).length > 0)
    const release = await lock(database, 'lock table authors in access exclusive mode')
    const recording = await recordRedis(redis)
    const answers = four.map((ask) => ask('{ author(id: "author_3") { name } }'))
    let seen = 0
    await until(async () => {
      seen += (await recording.take()).filter(([name]) => name === 'mget').length
      return seen >= 4 && (await waitingStatements(database)).length > 0
    })
    expect(await waitingStatements(database)).toHaveLength(1)
    recording.stop()
    await release()
    for (const { data } of await Promise.all(answers)) expect(data).toEqual({ author: { name: 'Barbara' } })
  })

  test('a command compares the cache with the database, and Prometheus can scrape its metrics', async () => {
    const { stdout } = await run('npm', ['run', 'check-cache', '--silent'], { cwd: blog, env: env() })
    expect(stdout).toMatch(/^[1-9]\d* entries compared, 0 differed$/m)
    const { url } = await serveBlog()
    await fetch(`${url}?query={author(id:"author_3"){name}}`)
    const metrics = await (await fetch(new URL('/metrics', url))).text()
    expect(metrics).toMatch(/^cache_hits_total\{namespace="authors",store="far"\} 1$/m)
    expect(metrics).toMatch(/^# TYPE cache_trusted gauge$/m)
  })

  test('prints the SQL of the engine for a migration', async () => {
    const nodeOptions = { ...env(), NODE_OPTIONS: '--import tsx' }
    const { stdout } = await run('npx', ['cached-resolvers', 'sql', 'src/entities.ts'], { cwd: blog, env: nodeOptions })
    await database.sql.unsafe(stdout).simple()
    expect(stdout).toContain(`select cache_follow('author-posts'`)
  })

  test('answers requests while Redis is down', async () => {
    const [ask] = (await processes(1)) as [Ask]
    await redis.kill()
    expect((await ask(nested)).errors).toBeUndefined()
    expect((await ask('{ author(id: "author_1") { name } }')).data).toEqual({ author: { name: 'Ada' } })
  })
})
