import { readdir, readFile } from 'node:fs/promises'
import type { ReservedSql } from 'postgres'
import type { Database } from './connection.js'

/** An arbitrary number, which must be the same in every process */
const lockId = 7_310_426
/** While a migration waits for a table lock, every later statement on that table queues behind it, in all processes. */
const tableLockTimeoutMs = 3_000

/**
 * Applies the missing migrations in order, each in its own transaction. Several processes may call this function at the same
 * time. Unknown migrations of a newer version are ignored, because each migration keeps the schema compatible with the previous
 * version (docs/deployment.md).
 */
export async function applyMigrations(database: Database, folder: URL): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const connection = await database.reserve()
  try {
    // Another process may hold the lock for longer than the statement timeout.
    await connection`set statement_timeout = 0`
    await connection`select pg_advisory_lock(${lockId})`
    await connection`create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())`
    const applied = new Set((await connection`select name from schema_migrations`).map((row) => row.name))
    for (const name of files.filter((file) => !applied.has(file))) {
      await apply(connection, name, await readFile(new URL(name, folder), 'utf8'))
    }
  } finally {
    await connection
      .unsafe('rollback; select pg_advisory_unlock_all(); reset statement_timeout')
      .simple()
      .catch(() => undefined)
    connection.release()
  }
}

async function apply(connection: ReservedSql, name: string, statements: string): Promise<void> {
  const script = `begin; set local lock_timeout = ${tableLockTimeoutMs}; ${statements}; insert into schema_migrations (name) values ('${name}'); commit;`
  try {
    await connection.unsafe(script).simple()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const hint = isLockTimeout(error)
      ? '; another transaction holds a lock on a table to be changed. Nothing was changed. Start the server again'
      : ''
    throw Object.assign(new Error(`Migration ${name}: ${error.message}${hint}`, { cause: error }), { code: codeOf(error) })
  }
}

function isLockTimeout(error: Error): boolean {
  return codeOf(error) === '55P03'
}

/** The SQLSTATE from Postgres, or the code of a connection error */
function codeOf(error: Error): unknown {
  return 'code' in error ? error.code : undefined
}
