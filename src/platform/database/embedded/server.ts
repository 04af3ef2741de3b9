import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { cannotRunError } from './binaries.js'
import { dataFolder, logFile, postgresEnvironment } from './cluster.js'
import { changeOwner, type Installation, processOwner } from './installation.js'
import { isAlive, type ProcessIdentity } from './process-identity.js'
import { host, pollMs, readServer, startTimeoutMs } from './server-state.js'

interface Launch {
  pid: number
  port: number
  /** Resolves to `ready` once the server accepts connections, to `failed` if it exits before. */
  outcome(): Promise<{ state: 'ready' } | { state: 'failed'; reason: string }>
}

const settings = {
  listen_addresses: host,
  unix_socket_directories: '',
  // This suffices for the pools of 64 workers.
  max_connections: 1000,
  // The shop's queries are short, so JIT compilation would take longer than execution.
  jit: 'off',
  // A failed statement is reported to its client; the log is for events of the server.
  log_min_messages: 'log',
  log_checkpoints: 'off',
}

/** Starts a server process. outcome() reports whether it obtained the cluster's lock and became ready. */
export async function launchServer(installation: Installation, requestedPort?: number): Promise<Launch> {
  const port = requestedPort ?? (await freePort())
  const { child, logStart } = await spawnServer(installation, port)
  return {
    pid: child.pid as number,
    port,
    async outcome() {
      if (await becomesReady(installation, child)) return { state: 'ready' }
      return {
        state: 'failed',
        reason: `Postgres does not start. ${logFile(installation)} ends with:\n${await readLogEnd(installation, logStart)}`,
      }
    },
  }
}

/**
 * Requests a fast shutdown, which rolls back open transactions. If that hangs, requests an immediate shutdown and then sends
 * SIGKILL; both require a recovery at the next start.
 */
export async function stopServer(server: ProcessIdentity): Promise<void> {
  const attempts = [
    { signal: 'SIGINT', timeoutMs: 5000 },
    { signal: 'SIGQUIT', timeoutMs: 2000 },
    { signal: 'SIGKILL', timeoutMs: 1000 },
  ]
  for (const { signal, timeoutMs } of attempts) {
    const deadline = Date.now() + timeoutMs
    if (await isAlive(server)) process.kill(server.pid, signal)
    while ((await isAlive(server)) && Date.now() < deadline) await sleep(pollMs)
  }
}

async function spawnServer(installation: Installation, port: number): Promise<{ child: ChildProcess; logStart: number }> {
  const log = await open(logFile(installation), 'a', 0o600)
  try {
    await changeOwner(installation.account, logFile(installation))
    const { size } = await log.stat()
    const child = spawn(installation.binaries.postgres, ['-D', dataFolder(installation), ...options(port)], {
      cwd: dataFolder(installation),
      env: postgresEnvironment,
      // The server runs in a separate process group: Ctrl-C in the terminal must reach only the API, which needs its database
      // until it has stopped.
      detached: true,
      windowsHide: true,
      stdio: ['ignore', log.fd, log.fd],
      ...processOwner(installation.account),
    })
    await once(child, 'spawn')
    child.unref()
    return { child, logStart: size }
  } catch (error) {
    throw cannotRunError(`its server could not be started (${(error as Error).message})`, error)
  } finally {
    await log.close()
  }
}

function options(port: number): string[] {
  return Object.entries({ ...settings, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

async function becomesReady(installation: Installation, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + startTimeoutMs
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    const server = await readServer(installation)
    if (server.state === 'ready' && server.pid === child.pid) return true
    await sleep(pollMs)
  }
  child.kill('SIGINT')
  return false
}

/**
 * Returns the last log lines after the offset `logStart`. Adds a line if the disk is full, since the server cannot log that
 * itself.
 */
export async function readLogEnd(installation: Installation, logStart = 0): Promise<string> {
  const log = await readFile(logFile(installation))
  const lines = log.subarray(logStart).toString('utf8').trimEnd().split('\n').slice(-10)
  const { bavail } = await statfs(installation.home)
  return [...lines, ...(bavail === 0 ? ['No space left on device'] : [])].join('\n')
}

/**
 * Postgres cannot choose a free port itself. If another program takes the returned port first, the launch fails and the caller
 * retries.
 */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
