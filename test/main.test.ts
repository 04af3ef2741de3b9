import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../src/database/connection.js'
import { type Built, query, ready, runBuilt } from './helpers/built.js'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { until } from './helpers/until.js'

describe('the process', () => {
  let folder: string
  let started: Built[]
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-main-'))
    await chmod(folder, 0o755)
    started = []
  })
  afterEach(async () => {
    for (const { child, exited } of started) {
      child.kill('SIGTERM')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  })
  const start = (env: Record<string, string>) => {
    const its = runBuilt(env)
    started.push(its)
    return its
  }

  test('starts a database of its own with the demo data, and finds it again at the next start', async () => {
    const first = start({ DATA_DIR: folder })
    const url = await ready(first)
    const { data } = await query(url, '{ stats { totalUsers totalProducts totalOrders } order(id: "order_1") { id } }')
    expect(data).toEqual({ stats: { totalUsers: 1000, totalProducts: 500, totalOrders: 250 }, order: { id: 'order_1' } })
    await query(url, 'mutation { createUser(input: { email: "kept@example.com", name: "Kept" }) { user { id } } }')
    first.child.kill('SIGTERM')
    expect(await first.exited).toBe(0)

    const second = await ready(start({ DATA_DIR: folder }))
    expect((await query(second, '{ stats { totalUsers } user(id: "user_1001") { name } }')).data).toEqual({
      stats: { totalUsers: 1001 },
      user: { name: 'Kept' },
    })
  })

  test('configuration faults are all named, and it exits with 1', async () => {
    const bad = start({ PORT: 'abc', REDIS_URL: 'http://secret@x', LOG_LEVEL: 'loud' })
    expect(await bad.exited).toBe(1)
    for (const name of ['PORT', 'REDIS_URL', 'LOG_LEVEL']) expect(bad.output()).toContain(name)
    expect(bad.output()).not.toContain('secret')
  })

  test('a database that cannot be reached is named without its password, and it exits with 1', async () => {
    const bad = start({ DATABASE_URL: 'postgres://someone:secret@127.0.0.1:9/shop' })
    expect(await bad.exited).toBe(1)
    expect(bad.output()).toContain('127.0.0.1:9')
    expect(bad.output()).not.toContain('secret')
  })

  test('a folder that it may not use is named with its variable, and it exits with 1', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    const bad = start({ DATA_DIR: join(file, 'data') })
    expect(await bad.exited).toBe(1)
    expect(bad.output()).toMatch(/^Bad configuration:\n {2}DATA_DIR names a folder that cannot be used: \S.*\n$/)
  })

  describe('on a database that is there', () => {
    let database: TestDatabase
    beforeAll(async () => {
      database = await createDatabase()
    })
    afterAll(() => database.drop())

    test('SIGTERM lets the request in flight finish, then exits with 0', async () => {
      const server = start({ DATABASE_URL: database.url })
      const url = await ready(server)
      // A row lock holds the mutation up until it is let go.
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

    test('a port in use is said, and it exits with 1', async () => {
      const url = new URL(await ready(start({ DATABASE_URL: database.url })))
      const second = start({ DATABASE_URL: database.url, PORT: url.port })
      expect(await second.exited).toBe(1)
      expect(second.output()).toMatch(/Bad configuration:\n {2}HOST and PORT name an address that cannot be listened on: .*\n$/)
      expect(second.output()).toContain(`${url.port}`)
    })

    test.each(['channel_binding=require', 'sslmode=require'])(
      'a URL that asks it for %s is named with its variable',
      async (parameter) => {
        const bad = start({ DATABASE_URL: `${database.url}?${parameter}` })
        expect(await bad.exited).toBe(1)
        expect(bad.output()).toMatch(/^Bad configuration:\n {2}DATABASE_URL names a database that cannot be used: .*\n$/)
      },
    )
  })
})
