import { ensureCluster, readPassword } from './embedded/cluster.js'
import { identify, type LiveProcess } from './embedded/live-process.js'
import { findPlace, type Place } from './embedded/place.js'
import { launchServer, stopServer } from './embedded/server.js'
import { accepts, host, removeStaleLock, settledServer } from './embedded/server-state.js'
import { enter, forgetEndedServers, hasUsers, leave } from './embedded/users.js'

interface EmbeddedPostgresOptions {
  dataDirectory: string
  log: (message: string) => void
  /** Used by root only, where the project's folders are closed to the user that Postgres runs as. */
  systemDirectory?: string
}

export interface EmbeddedPostgres {
  url: string
  /** The last of the processes that use the server ends it. */
  stop(): Promise<void>
}

/** One use of a running server. */
interface Session {
  server: LiveProcess
  port: number
  user: string
}

const maxLaunches = 5

/** A real Postgres out of npm, kept in `<dataDirectory>/postgres`. Processes that share a folder share its server. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await findPlace({ systemDirectory: '/var/lib/graphql-cached-shop', ...options })
  await ensureCluster(place, options.log)
  const password = await readPassword(place)
  const session = await openSession(place, options.log)
  options.log(`For psql: postgres://shop@${host}:${session.port}/shop, password in ${place.home}/password`)
  let ending: Promise<void> | undefined
  return {
    url: `postgres://shop:${password}@${host}:${session.port}/shop`,
    stop: () => (ending ??= endSession(place, session)),
  }
}

async function openSession(place: Place, log: (message: string) => void): Promise<Session> {
  for (let launches = 1; ; launches++) {
    const server = await settledServer(place)
    if (server.state === 'ready' && (await accepts(server.port))) {
      log(`Joining the Postgres that already serves ${place.home}`)
      return enterServer(place, server)
    }
    if (server.state === 'ready') removeStaleLock(place, server)

    const launched = await launchSession(place)
    if (launched.state === 'ready') return launched.session
    // Another process may have been quicker, on this folder or on the port: the next round finds out.
    if (launches === maxLaunches) throw new Error(launched.reason)
    removeStaleLock(place, { pid: 0 })
  }
}

async function launchSession(place: Place): Promise<{ state: 'ready'; session: Session } | { state: 'failed'; reason: string }> {
  const launch = await launchServer(place)
  const session = await enterServer(place, launch)
  const outcome = await launch.outcome()
  await forgetEndedServers(place)
  return outcome.state === 'ready' ? { state: 'ready', session } : outcome
}

async function enterServer(place: Place, { pid, port }: { pid: number; port: number }): Promise<Session> {
  return { server: await identify(pid), port, user: await enter(place, pid) }
}

async function endSession(place: Place, { server, user }: Session): Promise<void> {
  await leave(place, server.pid, user)
  if (!(await hasUsers(place, server.pid))) await stopServer(server)
}
