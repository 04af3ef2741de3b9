import type { Worker } from 'node:cluster'
import { sendMessage } from './ipc.js'

const heartbeat = 'heartbeat'
const intervalMs = 1_000

/** The worker's side: sends a heartbeat to the primary immediately and then periodically, while its event loop runs. */
export function sendHeartbeats(worker: Worker): void {
  sendMessage(worker, heartbeat)
  setInterval(() => sendMessage(worker, heartbeat), intervalMs).unref()
}

/**
 * The primary's side: calls `onTimeout` when a worker that has sent its first heartbeat misses more than `maxMissed` in a row. A
 * timer of the primary counts missed heartbeats, so that a pause of all processes, for example of a whole container, does not
 * count as missed heartbeats.
 */
export function watchHeartbeat(worker: Worker, maxMissed: number, onTimeout: () => void): void {
  let timer: NodeJS.Timeout | undefined
  let missed = 0
  worker.on('message', (message: unknown) => {
    if (message !== heartbeat) return
    missed = 0
    timer ??= setInterval(() => {
      missed += 1
      if (missed <= maxMissed) return
      clearInterval(timer)
      onTimeout()
    }, intervalMs)
  })
  worker.once('exit', () => clearInterval(timer))
}
