import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../src/platform/database/connection.js'
import { freePort } from '../tools/free-port.js'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from './helpers/built.js'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { lock, waitingStatements } from './helpers/locks.js'
import { until } from './helpers/until.js'

describe('the process', () => {
  let started: BuiltServer[]
  beforeEach(() => {
    started = []
  })
  afterEach(async () => {
    for (const { child, exited } of started) {
      child.kill('SIGTERM')
      await exited
    }
  })
  const start = (...args: Parameters<typeof startBuiltServer>) => {
    const built = startBuiltServer(...args)
    started.push(built)
    return built
  }

  test('reports all invalid settings, and exits with 1', async () => {
    const bad = start({ PORT: 'abc', REDIS_URL: 'http://secret@x', LOG_LEVEL: 'loud' })
    expect(await bad.exited).toBe(1)
    for (const name of ['PORT', 'REDIS_URL', 'LOG_LEVEL']) expect(bad.output()).toContain(name)
    expect(bad.output()).not.toContain('secret')
  })

  test('reports an unreachable database without its password, and exits with 1', async () => {
    const bad = start({ DATABASE_URL: 'postgres://someone:secret@127.0.0.1:9/shop' })
    expect(await bad.exited).toBe(1)
    expect(bad.output()).toContain('127.0.0.1:9')
    expect(bad.output()).not.toContain('secret')
  })

  test('reports an unusable folder with the name of the variable and the remedy, and exits with 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shop-main-'))
    const file = join(folder, 'file')
    await writeFile(file, '')
    const unusable = [file, join(file, 'missing', 'data'), ...(existsSync('/proc/self') ? ['/proc/missing/data'] : [])]
    for (const bad of unusable.map((path) => ({ path, server: start({ DATA_DIR: path }) }))) {
      expect(await bad.server.exited).toBe(1)
      expect(bad.server.output()).toMatch(
        /^Bad configuration:\n {2}DATA_DIR names the folder \S+, which cannot be used \(E[A-Z]+: .*\n$/,
      )
      expect(bad.server.output()).toContain(`folder ${bad.path}, which`)
      expect(bad.server.output()).toMatch(/\): name a folder that this user may create and write, or set DATABASE_URL to/)
    }
    // Otherwise root would use another folder, as Postgres does not run as root. In a checkout that other users cannot access, a line of the
    // log about that comes first.
    await chmod(folder, 0o755)
    await mkdir(join(folder, 'data', 'postgres'), { recursive: true })
    const incomplete = start({ DATA_DIR: join(folder, 'data') })
    expect(await incomplete.exited).toBe(1)
    expect(incomplete.output()).toMatch(
      /^Bad configuration:\n {2}\S+ is not a complete Postgres cluster\. Delete that folder .*DATABASE_URL.*\n$/m,
    )
    await rm(folder, { recursive: true })
  })

  test('reports a port in use with a free one before it creates or starts a database, also for several workers', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shop-main-'))
    const other = createServer().listen(await freePort(), '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    // The check comes first, so neither the folder nor Redis is used.
    const env = { PORT: String(port), DATA_DIR: join(folder, 'data') }
    for (const refused of [start(env), start({ ...env, WORKERS: '2', REDIS_URL: 'redis://127.0.0.1:9' })]) {
      expect(await refused.exited).toBe(1)
      const [, free] =
        /^Bad configuration:\n {2}PORT \d+ is in use on 127\.0\.0\.1, perhaps by another npm start: stop that process, or use a free port: PORT=(\d+) npm start\n$/.exec(
          refused.output(),
        ) ?? []
      expect(Number(free), refused.output()).toBeGreaterThan(port)
    }
    expect(await readdir(folder)).toEqual([])
    other.close()
    await rm(folder, { recursive: true })
  })

  test('warns of a variable that other programs use for a setting that is not set', async () => {
    const server = start({ POSTGRES_URL: 'postgres://u:hunter2@127.0.0.1:9/x', DATA_DIR: '/dev/null' })
    expect(await server.exited).toBe(1)
    expect(server.output()).toMatch(/"level":40.*POSTGRES_URL is ignored, .*: DATABASE_URL is"/)
    expect(server.output()).not.toContain('hunter2')
  })

  describe('with a database', () => {
    let database: TestDatabase
    beforeAll(async () => {
      database = await createDatabase()
    })
    afterAll(() => database.drop())

    test('logs lines for a person with LOG_FORMAT=pretty, and summarizes the start without credentials', async () => {
      const built = start({ DATABASE_URL: database.url, LOG_FORMAT: 'pretty' })
      const url = await waitUntilReady(built)
      const { origin } = new URL(url)
      expect(built.output()).toMatch(/^\[\d\d:\d\d:\d\d\] WARN: NO AUTHENTICATION: /m)
      expect(built.output()).toContain(
        [
          `Ready: open ${url}`,
          `  Explorer   ${url} (Apollo Sandbox)`,
          `             ${origin}/graphiql`,
          `  Dashboard  ${origin}/dashboard`,
          `  Database   Postgres at ${new URL(database.url).host}`,
          '  Cache      in this process (64 MB); for several processes set REDIS_URL',
          '  Access     every caller is an administrator:',
          '             set AUTH_JWT_SECRET before others can reach it',
        ].join('\n'),
      )
    })

    test('after SIGTERM, finishes requests in flight and exits with 0', async () => {
      const server = start({ DATABASE_URL: database.url })
      const url = await waitUntilReady(server)
      // A row lock blocks the mutation until it is released.
      const locker = connect({ url: database.url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
      const lock = await locker.reserve()
      await lock`begin`
      await lock`update products set stock = 1 where id = 1`
      const answer = query(url, 'mutation { updateProductStock(productId: "product_1", stock: 42) { product { stock } } }')
      await until(async () => (await database.sql`select 1 from pg_locks where not granted`).length > 0)

      server.child.kill('SIGTERM')
      await until(() => server.output().includes('SIGTERM'))
      await lock`commit`
      expect((await answer).data).toEqual({ updateProductStock: { product: { stock: 42 } } })
      expect(await server.exited).toBe(0)
      await expect(fetch(url)).rejects.toThrow()
      lock.release()
      await locker.end()
    })

    test('logs an uncaught exception, finishes requests in flight and exits with 1', async () => {
      const code = "process.once('SIGUSR2',()=>{throw(new(Error)('unforeseen'))})"
      const server = start({ DATABASE_URL: database.url, NODE_OPTIONS: `--import=data:text/javascript,${code}` })
      const url = await waitUntilReady(server)
      const release = await lock(database, 'select 1 from products where id = 2 for update')
      const answer = query(url, 'mutation { updateProductStock(productId: "product_2", stock: 42) { product { stock } } }')
      await until(async () => (await waitingStatements(database)).length > 0)
      server.child.kill('SIGUSR2')
      await until(() => server.output().includes('unforeseen'))
      await release()
      expect((await answer).data).toEqual({ updateProductStock: { product: { stock: 42 } } })
      expect(await server.exited).toBe(1)
    })

    test.skipIf(!existsSync('/dev/full'))('continues to serve if the disk of its log is full', async () => {
      const log = await open('/dev/full', 'w')
      const port = String(await freePort())
      const server = start({ DATABASE_URL: database.url, PORT: port, LOG_REQUESTS: 'all' }, log.fd)
      await log.close()
      const url = `http://127.0.0.1:${port}/graphql`
      const ask = () => query(url, '{ product(id: "product_3") { id } }')
      await until(() =>
        ask().then(
          () => true,
          () => false,
        ),
      )
      expect((await ask()).data).toEqual({ product: { id: 'product_3' } })
      server.child.kill('SIGTERM')
      expect(await server.exited).toBe(0)
    })

    test('in production, leads to no page that does not exist, and names what authenticates callers', async () => {
      const production = { DATABASE_URL: database.url, NODE_ENV: 'production', AUTH_JWT_SECRET: 'x'.repeat(32) }
      const pretty = start({ ...production, LOG_FORMAT: 'pretty' })
      const url = await waitUntilReady(pretty)
      const { origin } = new URL(url)
      expect(pretty.output()).toContain(
        [
          `Ready: ${url}`,
          '  Explorer   off, because INTROSPECTION is',
          `  Dashboard  ${origin}/dashboard, with an administrator's token`,
          `  Database   Postgres at ${new URL(database.url).host}`,
          '  Cache      in this process (64 MB); for several processes set REDIS_URL',
          '  Access     by tokens that are signed with AUTH_JWT_SECRET',
        ].join('\n'),
      )
      for (const [page] of pretty.output().matchAll(/http:\S+\/dashboard/g)) expect((await fetch(page)).status).toBe(200)
    })

    test('writes nothing but JSON to an output that is no terminal', async () => {
      const server = start({ DATABASE_URL: database.url, LOG_LEVEL: 'error' })
      const url = await waitUntilReady(server)
      server.child.kill('SIGTERM')
      expect(await server.exited).toBe(0)
      const lines = server.output().trimEnd().split('\n')
      expect(lines.map((line) => JSON.parse(line).msg)).toEqual([`Ready: open ${url}`, 'SIGTERM: finishing requests in flight'])
    })

    test.each(['channel_binding=require', 'sslmode=require'])(
      'reports an unusable URL parameter %s with the name of the variable',
      async (parameter) => {
        const bad = start({ DATABASE_URL: `${database.url}?${parameter}` })
        expect(await bad.exited).toBe(1)
        expect(bad.output()).toMatch(/^Bad configuration:\n {2}DATABASE_URL names a database that cannot be used: .*\n$/)
      },
    )
  })
})
