import type { Database } from './connection.js'

/**
 * Whether several connections share one server session, as behind a pooler in transaction mode. Reserves two connections of the
 * pool.
 */
export async function sharesSessions(database: Database): Promise<boolean> {
  const first = await database.reserve()
  const second = await database.reserve()
  try {
    for (let round = 0; round < maxRounds; round += 1) {
      if ((await backendPidOf(first)) === (await backendPidOf(second))) return true
    }
    return false
  } finally {
    first.release()
    second.release()
  }
}

/**
 * Returns the process id of the server session. Uses the simple query protocol, because a prepared statement might not exist in
 * the session of the next call.
 */
async function backendPidOf(connection: Pick<Database, 'unsafe'>): Promise<number> {
  const [row] = await connection.unsafe<{ pid: number }[]>('select pg_backend_pid() as pid').simple()
  return (row as { pid: number }).pid
}

/** A busy pooler may assign different sessions by chance, so the comparison is repeated. */
const maxRounds = 5
