import { createRead } from 'cached-resolvers/postgres'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { stallThread } from '../helpers/stall-thread.js'

const statementTimeoutMs = 300

describe('a read that exceeds the statement timeout', () => {
  let database: TestDatabase
  let sql: Database
  let onStatement = (_text: string) => {}
  beforeEach(async () => {
    database = await createDatabase()
    const timeouts = { statementTimeoutMs, connectTimeoutMs: 60_000, responseTimeoutMs: 60_000 }
    sql = connect({ url: database.url, maxConnections: 1, ...timeouts, onStatement: (text) => onStatement(text) })
    await sql`select 1`
  })
  afterEach(async () => {
    await sql.end({ timeout: 1 })
    await database.drop()
  })

  test('because this process was stalled before it sent the parameters, is run again', async () => {
    let sent = 0
    onStatement = () => {
      sent += 1
      // The driver now sends the text of the statement with setImmediate(), and the parameters when the server has described them.
      if (sent === 1) queueMicrotask(() => setImmediate(() => stallThread(3 * statementTimeoutMs)))
    }
    const users = await createRead(sql)('users', (source) => source`select id from users where id = ${1}`)
    expect(users).toEqual([{ id: 1 }])
    expect(sent).toBe(2)
  })

  test('because the database is slow, is not run again', async () => {
    // So long that a busy machine does not stall this process for most of it
    await sql`set statement_timeout = 2000`
    let sent = 0
    onStatement = () => {
      sent += 1
    }
    const slow = createRead(sql)('users', (source) => source`select pg_sleep(60)`)
    await expect(slow).rejects.toMatchObject({ code: '57014' })
    expect(sent).toBe(1)
  })
})
