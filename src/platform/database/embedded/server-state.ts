import { readFileSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { dataFolder } from './cluster.js'
import { isRunning } from './live-process.js'
import type { Place } from './place.js'

/** What serves a cluster at this moment, as the lock file of Postgres tells. Busy: starting, recovering or stopping. */
type ServerState = { state: 'stopped' } | { state: 'busy'; pid: number } | { state: 'ready'; pid: number; port: number }

export const host = '127.0.0.1'
export const pollMs = 10
/** A server that died with much unwritten data replays its log before it is ready. */
export const startPatienceMs = 120_000

export async function readServer(place: Place): Promise<ServerState> {
  const { pid, port, status } = parseLock(await readFile(lockFile(place), 'utf8').catch(() => ''))
  if (!pid || !(await isRunning(pid))) return { state: 'stopped' }
  return status === 'ready' ? { state: 'ready', pid, port } : { state: 'busy', pid }
}

/** Waits until the server is neither starting nor stopping. */
export async function settledServer(place: Place): Promise<Exclude<ServerState, { state: 'busy' }>> {
  const deadline = Date.now() + startPatienceMs
  for (;;) {
    const server = await readServer(place)
    if (server.state !== 'busy') return server
    if (Date.now() > deadline) throw new Error(busyForTooLong(place, server.pid))
    await sleep(pollMs)
  }
}

/** Whether something listens on the port. A server that is alive but overloaded counts. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 2000 })
    const answer = (accepted: boolean) => {
      socket.destroy()
      resolve(accepted)
    }
    socket.on('connect', () => answer(true))
    socket.on('timeout', () => answer(true))
    socket.on('error', (error: NodeJS.ErrnoException) => answer(error.code !== 'ECONNREFUSED'))
  })
}

/**
 * Removes a lock file that Postgres itself would obey: after a power cut it may be empty, or name a process number that some other
 * program has by now. Read and removed without a pause, so that the lock of a server that starts meanwhile stays.
 */
export function removeStaleLock(place: Place, stale: { pid: number }): void {
  try {
    if (parseLock(readFileSync(lockFile(place), 'utf8')).pid === stale.pid) rmSync(lockFile(place))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function lockFile(place: Place): string {
  return join(dataFolder(place), 'postmaster.pid')
}

/** An empty file gives process number 0. */
function parseLock(text: string): { pid: number; port: number; status: string } {
  const lines = text.split('\n')
  return { pid: Number(lines[0]), port: Number(lines[3]), status: lines[7]?.trim() ?? '' }
}

function busyForTooLong(place: Place, pid: number): string {
  const seconds = startPatienceMs / 1000
  return `Postgres (process ${pid}) has been busy for ${seconds} s. If process ${pid} is not Postgres, delete ${lockFile(place)}.`
}
