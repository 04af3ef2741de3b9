import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { deferred } from '../helpers/deferred.js'
import { startProxy, type TestProxy } from '../helpers/proxy.js'
import { until } from '../helpers/until.js'

describe('a transaction that loses its connection', () => {
  let database: TestDatabase
  let proxy: TestProxy
  let sql: Database
  beforeEach(async () => {
    database = await createDatabase()
    const address = new URL(database.url)
    proxy = await startProxy(Number(address.port))
    address.port = String(proxy.port)
    sql = connect({
      url: address.href,
      maxConnections: 1,
      statementTimeoutMs: 60_000,
      connectTimeoutMs: 60_000,
      responseTimeoutMs: 60_000,
    })
  })
  afterEach(async () => {
    await sql.end({ timeout: 1 })
    await proxy.stop()
    await database.drop()
  })

  const isBusy = async () => {
    const rows = await database.sql`
      select 1 from pg_stat_activity where datname = current_database() and query like '%pg_sleep(20)%' and pid <> pg_backend_pid()`
    return rows.length > 0
  }
  const works = async () => {
    proxy.restore()
    expect((await sql`select 1 as one`)[0]).toEqual({ one: 1 })
    expect(await sql.begin((transaction) => transaction`select count(*) as count from users where name = 'lost'`)).toEqual([
      { count: 0 },
    ])
  }

  test('during a statement, is rejected without other effects', async () => {
    const failed = sql.begin(async (transaction) => {
      await transaction`update users set name = 'lost'`
      await transaction`select pg_sleep(20)`
    })
    const rejection = expect(failed).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await until(isBusy)
    proxy.cut()
    await rejection
    await works()
  })

  test.each([
    ['sends a statement', (transaction: Database) => transaction`update users set name = 'lost'`],
    ['ends', async () => undefined],
    ['throws', async () => Promise.reject(new Error('mine'))],
  ])('between statements, then %s, is rejected without effect on the next connection', async (_, proceed) => {
    const gate = deferred<void>()
    const waiting = deferred<void>()
    const ended = deferred<void>()
    const failed = sql.begin(async (transaction) => {
      await transaction`update users set name = 'lost'`
      waiting.resolve()
      await gate.promise
      ended.resolve()
      await proceed(transaction as unknown as Database)
    })
    const rejection = expect(failed).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await waiting.promise
    proxy.cut()
    await rejection
    // The pool has a new connection by then.
    await works()
    gate.resolve()
    await ended.promise
    await works()
  })
})
