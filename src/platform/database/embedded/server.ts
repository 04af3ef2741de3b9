import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { cannotRun } from './binaries.js'
import { dataFolder, logFile, postgresEnvironment } from './cluster.js'
import { isAlive, type LiveProcess } from './live-process.js'
import { giveTo, identityOf, type Place } from './place.js'
import { host, pollMs, readServer, startPatienceMs } from './server-state.js'

interface Launch {
  pid: number
  port: number
  /** Ready once the server takes connections, failed if it ends before. */
  outcome(): Promise<{ state: 'ready' } | { state: 'failed'; reason: string }>
}

const settings = {
  listen_addresses: host,
  unix_socket_directories: '',
  // The pools of 64 workers
  max_connections: 1000,
  // The queries of a shop are short: compiling one takes longer than running it.
  jit: 'off',
  // A statement that failed is reported to its client; the log is for what happens to the server.
  log_min_messages: 'log',
  log_checkpoints: 'off',
}

/** Starts a server process; whether it gets the cluster is its outcome. */
export async function launchServer(place: Place, wantedPort?: number): Promise<Launch> {
  const port = wantedPort ?? (await freePort())
  const { child, logStart } = await spawnServer(place, port)
  return {
    pid: child.pid as number,
    port,
    async outcome() {
      if (await becomesReady(place, child)) return { state: 'ready' }
      return {
        state: 'failed',
        reason: `Postgres does not start. ${logFile(place)} ends with:\n${await readLogEnd(place, logStart)}`,
      }
    },
  }
}

/** Fast shutdown: open transactions are rolled back. If it hangs, harder ways, which cost a recovery at the next start. */
export async function stopServer(server: LiveProcess): Promise<void> {
  const ways = [
    { signal: 'SIGINT', patienceMs: 5000 },
    { signal: 'SIGQUIT', patienceMs: 2000 },
    { signal: 'SIGKILL', patienceMs: 1000 },
  ]
  for (const { signal, patienceMs } of ways) {
    const deadline = Date.now() + patienceMs
    if (await isAlive(server)) process.kill(server.pid, signal)
    while ((await isAlive(server)) && Date.now() < deadline) await sleep(pollMs)
  }
}

async function spawnServer(place: Place, port: number): Promise<{ child: ChildProcess; logStart: number }> {
  const log = await open(logFile(place), 'a', 0o600)
  try {
    await giveTo(place.account, logFile(place))
    const { size } = await log.stat()
    const child = spawn(place.binaries.postgres, ['-D', dataFolder(place), ...options(port)], {
      cwd: dataFolder(place),
      env: postgresEnvironment,
      // A process group of its own: a Ctrl-C in the terminal is meant for the API, which needs its database until it has stopped.
      detached: true,
      windowsHide: true,
      stdio: ['ignore', log.fd, log.fd],
      ...identityOf(place.account),
    })
    await once(child, 'spawn')
    child.unref()
    return { child, logStart: size }
  } catch (error) {
    throw cannotRun(`its server could not be started (${(error as Error).message})`, error)
  } finally {
    await log.close()
  }
}

function options(port: number): string[] {
  return Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

async function becomesReady(place: Place, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + startPatienceMs
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const server = await readServer(place)
    if (server.state === 'ready' && server.pid === child.pid) return true
    await sleep(pollMs)
  }
  child.kill('SIGINT')
  return false
}

/** The last lines logged since the log had the given size. A disk that is full takes no lines: that is said here. */
export async function readLogEnd(place: Place, logStart = 0): Promise<string> {
  const log = await readFile(logFile(place))
  const lines = log.subarray(logStart).toString('utf8').trimEnd().split('\n').slice(-10)
  const { bavail } = await statfs(place.home)
  return [...lines, ...(bavail === 0 ? ['No space left on device'] : [])].join('\n')
}

/** Postgres cannot choose a free port itself. Should another program be quicker on this one, the launch fails and is tried again. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
