import { ensureCluster, readPassword } from './embedded/cluster.js'
import { type Installation, prepareInstallation } from './embedded/installation.js'
import { identify, isAlive, type ProcessIdentity } from './embedded/process-identity.js'
import { launchServer, readLogEnd, stopServer } from './embedded/server.js'
import { acceptsConnections, host, removeStaleLock, waitForSettledServer } from './embedded/server-state.js'
import { hasUsers, registerUser, removeFilesOfEndedServers, unregisterUser } from './embedded/users.js'

interface EmbeddedPostgresOptions {
  dataDirectory: string
  log: (message: string) => void
  /** Aborts the start before the server is launched, also while its cluster is being created. */
  stopping?: AbortSignal | undefined
  /** Used only by root, if the user that Postgres runs as cannot access the project's folders. */
  systemDirectory?: string
}

export interface EmbeddedPostgres {
  url: string
  /** Restarts the server at the same address whenever it exits or is killed, until stop(). */
  keepRunning(report: (message: string) => void): void
  /** Stops the server if no other process uses it. */
  stop(): Promise<void>
}

/** This process as a user of a running server */
interface Session {
  server: ProcessIdentity
  port: number
  user: string
}

type LaunchResult = { state: 'ready'; session: Session } | { state: 'failed'; reason: string }

const maxLaunches = 5
const checkIntervalMs = 1_000

/**
 * Starts a Postgres installed by npm, with its data in `<dataDirectory>/postgres`. Processes with the same folder share one
 * server.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const installation = await prepareInstallation({ systemDirectory: '/var/lib/graphql-cached-shop', ...options })
  await ensureCluster(installation, options.log, options.stopping)
  const password = await readPassword(installation)
  options.stopping?.throwIfAborted()
  const session = await openSession(installation, options.log)
  const { port } = session
  const supervised = new SupervisedSession(installation, session, options.log)
  options.log(`For psql: postgres://shop@${host}:${port}/shop, password in ${installation.home}/password`)
  let ending: Promise<void> | undefined
  return {
    url: `postgres://shop:${password}@${host}:${port}/shop`,
    keepRunning: (report) => supervised.watch(report),
    stop: () => (ending ??= supervised.end()),
  }
}

/** Checks the server of a session periodically, and restarts the server if it has ended. */
class SupervisedSession {
  private timer: NodeJS.Timeout | undefined
  private check: Promise<void> | undefined
  /** The last outage state that was reported */
  private outage: 'none' | 'ended' | 'cannotStart' = 'none'

  constructor(
    private readonly installation: Installation,
    private session: Session,
    private readonly log: (message: string) => void,
  ) {}

  watch(report: (message: string) => void): void {
    this.timer = setInterval(() => {
      this.check ??= this.restoreIfEnded(report).finally(() => {
        this.check = undefined
      })
    }, checkIntervalMs).unref()
  }

  async end(): Promise<void> {
    clearInterval(this.timer)
    await this.check
    await endSession(this.installation, this.session)
  }

  private async restoreIfEnded(report: (message: string) => void): Promise<void> {
    const { server, port } = this.session
    if (await isAlive(server)) return
    try {
      if (this.outage === 'none')
        report(`Postgres has ended and is being restarted. Its log ends with:\n${await readLogEnd(this.installation)}`)
      this.outage = 'ended'
      this.session = await openSession(this.installation, this.log, port)
      this.outage = 'none'
      report('Postgres is available again')
    } catch (error) {
      if (this.outage !== 'cannotStart') report(`Failed to restart Postgres: ${(error as Error).message}. Will retry`)
      this.outage = 'cannotStart'
    }
  }
}

/** Joins the running server, or starts one. `port` is the port that clients expect; undefined for any free port. */
async function openSession(installation: Installation, log: (message: string) => void, port?: number): Promise<Session> {
  for (let launches = 1; ; launches++) {
    const server = await waitForSettledServer(installation)
    if (server.state === 'ready' && (await acceptsConnections(server.port))) {
      if (port !== undefined && port !== server.port) throw new Error(`it now listens on port ${server.port} instead of ${port}`)
      log(`Using the Postgres that is already running for ${installation.home}`)
      return joinServer(installation, server)
    }
    if (server.state === 'ready') removeStaleLock(installation, server)

    const launched = await launchSession(installation, port)
    if (launched.state === 'ready') return launched.session
    // Another process may have taken the folder or the port first; the next attempt detects that.
    if (launches === maxLaunches) throw new Error(launched.reason)
    removeStaleLock(installation, { pid: 0 })
  }
}

async function launchSession(installation: Installation, port?: number): Promise<LaunchResult> {
  const launch = await launchServer(installation, port)
  const session = await joinServer(installation, launch)
  const outcome = await launch.outcome()
  await removeFilesOfEndedServers(installation)
  return outcome.state === 'ready' ? { state: 'ready', session } : outcome
}

async function joinServer(installation: Installation, { pid, port }: { pid: number; port: number }): Promise<Session> {
  return { server: await identify(pid), port, user: await registerUser(installation, pid) }
}

async function endSession(installation: Installation, { server, user }: Session): Promise<void> {
  await unregisterUser(installation, server.pid, user)
  if (!(await hasUsers(installation, server.pid))) await stopServer(server)
}
