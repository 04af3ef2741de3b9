import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { templateName } from './template.js'

export interface TestDatabase {
  url: string
  /** A connection pool separate from that of the application */
  sql: Database
  drop(): Promise<void>
}

/** Creates a database with the migrations and the demo data for this test only. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`
  // The default strategy writes every page to the WAL, which takes three times as long.
  await asAdministrator((admin) => admin.unsafe(`create database ${name} template ${templateName} strategy file_copy`))
  const url = databaseUrl(name)
  const sql = connectTo(url)
  return {
    url,
    sql,
    async drop() {
      await sql.end()
      await asAdministrator((admin) => admin.unsafe(`drop database ${name} with (force)`))
    },
  }
}

function databaseUrl(name: string): string {
  const url = new URL(inject('postgresUrl'))
  url.pathname = `/${name}`
  return url.href
}

async function asAdministrator(work: (admin: Database) => PromiseLike<unknown>): Promise<void> {
  const admin = connectTo(inject('postgresUrl'))
  await work(admin)
  await admin.end()
}

function connectTo(url: string): Database {
  return connect({ url, maxConnections: 4, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
}
