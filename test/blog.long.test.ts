import { type ChildProcess, execFile } from 'node:child_process'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
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

describe.skipIf(noRedis)('examples/blog, with the packed engine', () => {
  let folder: string
  let blog: string
  let database: TestDatabase
  let redis: TestRedis
  const started: ChildProcess[] = []
  beforeAll(async () => {
    const packed = await packEngine()
    folder = packed.folder
    blog = join(folder, 'blog')
    await cp('examples/blog', blog, { recursive: true, filter: (file) => !/node_modules|package-lock/.test(file) })
    await run('npm', ['install', '--no-audit', '--no-fund', `../${packed.tarball}`], { cwd: blog })
    database = await createDatabase()
    await database.sql.unsafe('drop schema public cascade; create schema public').simple()
    redis = await startRedis()
  })
  afterAll(async () => {
    for (const child of started) child.kill('SIGKILL')
    await database.drop()
    await redis.stop()
    await rm(folder, { recursive: true })
  })
  const env = () => ({ ...process.env, DATABASE_URL: database.url, REDIS_URL: redis.url, PORT: '0' })

  async function serveBlog() {
    const served = await serve('src/main.ts', { cwd: blog, env: env() })
    started.push(served.child)
    return served
  }
  const start = async () => (await serveBlog()).ask
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
    expect(await (await start())(nested)).toEqual(answer)
    // Another process, whose near store is empty
    const ask = await start()
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
    const [ask, other] = [await start(), await start()]
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

  test('four processes that request the same cold key run one SQL statement', async () => {
    const processes = await Promise.all([start(), start(), start(), start()])
    await redis.client.flushall()
    for (const ask of processes) await until(async () => (await ask('{ post(id: "post_1") { title } }')).errors === undefined)
    await until(async () => (await redis.client.keys('blog:*:registration:*')).length > 0)
    const release = await lock(database, 'lock table authors in access exclusive mode')
    const recording = await recordRedis(redis)
    const answers = processes.map((ask) => ask('{ author(id: "author_1") { name } }'))
    let seen = 0
    await until(async () => {
      seen += (await recording.take()).filter(([name]) => name === 'mget').length
      return seen >= 4 && (await waitingStatements(database)).length > 0
    })
    expect(await waitingStatements(database)).toHaveLength(1)
    recording.stop()
    await release()
    for (const { data } of await Promise.all(answers)) expect(data).toEqual({ author: { name: 'Ada' } })
  })

  test('a command compares the cache with the database, and Prometheus can scrape its metrics', async () => {
    const { stdout } = await run('npm', ['run', 'check-cache', '--silent'], { cwd: blog, env: env() })
    expect(stdout).toMatch(/^[1-9]\d* entries compared, 0 differed$/m)
    const { url } = await serveBlog()
    await fetch(`${url}?query={author(id:"author_1"){name}}`)
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
    const ask = await start()
    await redis.kill()
    expect((await ask(nested)).errors).toBeUndefined()
    expect((await ask('{ author(id: "author_1") { name } }')).data).toEqual({ author: { name: 'Ada' } })
  })
})
