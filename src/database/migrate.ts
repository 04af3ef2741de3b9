import { readdir, readFile } from 'node:fs/promises'
import type { Database } from './connection.js'

const folder = new URL('./migrations/', import.meta.url)
/** Any number will do, as long as every process asks for the same lock. */
const lockId = 7_310_426

/** Applies the migrations that this database lacks, in order, each in its own transaction. Several processes may call it at once. */
export async function migrate(database: Database): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  const connection = await database.reserve()
  try {
    // Another process may be at it for longer than a statement may otherwise take.
    await connection`set statement_timeout = 0`
    await connection`select pg_advisory_lock(${lockId})`
    await connection`create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())`
    const applied = new Set((await connection`select name from schema_migrations`).map((row) => row.name))
    for (const name of files.filter((file) => !applied.has(file))) {
      await connection.unsafe(migrationScript(name, await readFile(new URL(name, folder), 'utf8'))).simple()
    }
  } finally {
    await connection
      .unsafe('rollback; select pg_advisory_unlock_all(); reset statement_timeout')
      .simple()
      .catch(() => undefined)
    connection.release()
  }
}

function migrationScript(name: string, statements: string): string {
  return `begin; ${statements}; insert into schema_migrations (name) values ('${name}'); commit;`
}
