import { readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataFolder } from './cluster.js'
import type { Installation } from './installation.js'
import { isRunning } from './process-identity.js'

/** State of a cluster's server according to the lock file of Postgres. `busy` means starting, recovering or stopping. */
type ServerState = { state: 'stopped' } | { state: 'busy'; pid: number } | { state: 'ready'; pid: number; port: number }

export const host = '127.0.0.1'
export const pollMs = 10
/** This timeout is long because a server that crashed with much unwritten data replays its WAL before it is ready. */
export const startTimeoutMs = 120_000

export async function readServer(installation: Installation): Promise<ServerState> {
  const { pid, port, status } = parseLock(await readFile(lockFile(installation), 'utf8').catch(() => ''))
  if (!pid || !(await isRunning(pid))) return { state: 'stopped' }
  return status === 'ready' ? { state: 'ready', pid, port } : { state: 'busy', pid }
}

/** Waits until the server is neither starting nor stopping. */
export async function waitForSettledServer(installation: Installation): Promise<Exclude<ServerState, { state: 'busy' }>> {
  const deadline = Date.now() + startTimeoutMs
  for (;;) {
    const server = await readServer(installation)
    if (server.state !== 'busy') return server
    if (Date.now() > deadline) throw new Error(busyTooLongMessage(installation, server.pid))
    await sleep(pollMs)
  }
}

/** Whether a server listens on the port. A timeout counts as yes, because the server may be overloaded. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 })
    const settle = (isAccepted: boolean) => {
      socket.destroy()
      resolve(isAccepted)
    }
    socket.on('connect', () => settle(true))
    socket.on('timeout', () => settle(true))
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED'))
  })
}

/**
 * Removes a stale lock file that would prevent Postgres from starting. After a power failure, such a file may be empty, or
 * contain a pid that another program has by now. Reads and removes it synchronously, so that the lock of a server that starts in
 * the meantime is kept.
 */
export function removeStaleLock(installation: Installation, stale: { pid: number }): void {
  try {
    if (parseLock(readFileSync(lockFile(installation), 'utf8')).pid === stale.pid) rmSync(lockFile(installation))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function lockFile(installation: Installation): string {
  return join(dataFolder(installation), 'postmaster.pid')
}

/** An empty file is parsed as pid 0. */
function parseLock(text: string): { pid: number; port: number; status: string } {
  const lines = text.split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() ?? '' }
}

function busyTooLongMessage(installation: Installation, pid: number): string {
  const seconds = startTimeoutMs / 1000
  return `Postgres (process ${pid}) has been busy for ${seconds} s. If process ${pid} is not Postgres, delete ${lockFile(installation)}.`
}
