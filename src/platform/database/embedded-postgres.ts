import { ensureCluster, readPassword } from './embedded/cluster.js'
import { identify, isAlive, type LiveProcess } from './embedded/live-process.js'
import { findPlace, type Place } from './embedded/place.js'
import { launchServer, readLogEnd, stopServer } from './embedded/server.js'
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
  /** Starts the server again, at the same address, whenever it has ended by itself or was killed, until stop(). */
  keepRunning(report: (message: string) => void): void
  /** The last of the processes that use the server ends it. */
  stop(): Promise<void>
}

/** One use of a running server. */
interface Session {
  server: LiveProcess
  port: number
  user: string
}

type Launched = { state: 'ready'; session: Session } | { state: 'failed'; reason: string }

const maxLaunches = 5
const lookIntervalMs = 1_000

/** A real Postgres out of npm, kept in `<dataDirectory>/postgres`. Processes that share a folder share its server. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const place = await findPlace({ systemDirectory: '/var/lib/graphql-cached-shop', ...options })
  await ensureCluster(place, options.log)
  const password = await readPassword(place)
  const session = await openSession(place, options.log)
  const { port } = session
  const kept = new KeptSession(place, session, options.log)
  options.log(`For psql: postgres://shop@${host}:${port}/shop, password in ${place.home}/password`)
  let ending: Promise<void> | undefined
  return {
    url: `postgres://shop:${password}@${host}:${port}/shop`,
    keepRunning: (report) => kept.watch(report),
    stop: () => (ending ??= kept.end()),
  }
}

/** A session whose server is looked at now and then. */
class KeptSession {
  private timer: NodeJS.Timeout | undefined
  private look: Promise<void> | undefined
  /** How much of the outage has been reported */
  private outage: 'none' | 'ended' | 'cannotStart' = 'none'

  constructor(
    private readonly place: Place,
    private session: Session,
    private readonly log: (message: string) => void,
  ) {}

  watch(report: (message: string) => void): void {
    this.timer = setInterval(() => {
      this.look ??= this.restoreIfEnded(report).finally(() => {
        this.look = undefined
      })
    }, lookIntervalMs).unref()
  }

  async end(): Promise<void> {
    clearInterval(this.timer)
    await this.look
    await endSession(this.place, this.session)
  }

  private async restoreIfEnded(report: (message: string) => void): Promise<void> {
    const { server, port } = this.session
    if (await isAlive(server)) return
    try {
      if (this.outage === 'none')
        report(`Postgres has ended, and is started again. Its log ends with:\n${await readLogEnd(this.place)}`)
      this.outage = 'ended'
      this.session = await openSession(this.place, this.log, port)
      this.outage = 'none'
      report('Postgres serves again')
    } catch (error) {
      if (this.outage !== 'cannotStart')
        report(`Postgres cannot be started now, which is tried again: ${(error as Error).message}`)
      this.outage = 'cannotStart'
    }
  }
}

/** `port`: where others expect the server */
async function openSession(place: Place, log: (message: string) => void, port?: number): Promise<Session> {
  for (let launches = 1; ; launches++) {
    const server = await settledServer(place)
    if (server.state === 'ready' && (await accepts(server.port))) {
      if (port !== undefined && port !== server.port) throw new Error(`it serves on port ${server.port} now, not on ${port}`)
      log(`Joining the Postgres that already serves ${place.home}`)
      return enterServer(place, server)
    }
    if (server.state === 'ready') removeStaleLock(place, server)

    const launched = await launchSession(place, port)
    if (launched.state === 'ready') return launched.session
    // Another process may have been quicker, on this folder or on the port: the next round finds out.
    if (launches === maxLaunches) throw new Error(launched.reason)
    removeStaleLock(place, { pid: 0 })
  }
}

async function launchSession(place: Place, port?: number): Promise<Launched> {
  const launch = await launchServer(place, port)
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
