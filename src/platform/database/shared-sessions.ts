import type { Database } from './connection.js'

/** Whether connections share sessions of the server, as they do behind a pooler in transaction mode. Needs two connections. */
export async function sharesSessions(database: Database): Promise<boolean> {
  const one = await database.reserve()
  const other = await database.reserve()
  try {
    for (let round = 0; round < maxRounds; round += 1) {
      if ((await sessionOf(one)) === (await sessionOf(other))) return true
    }
    return false
  } finally {
    one.release()
    other.release()
  }
}

/** Without a prepared statement, which a shared session would not find again. */
async function sessionOf(connection: Pick<Database, 'unsafe'>): Promise<number> {
  const [row] = await connection.unsafe<{ pid: number }[]>('select pg_backend_pid() as pid').simple()
  return (row as { pid: number }).pid
}

/** A busy pooler may give each of them another session by chance. */
const maxRounds = 5
