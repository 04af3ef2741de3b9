import cluster from 'node:cluster'
import { sendHeartbeats } from './heartbeat.js'
import { sendMessage } from './ipc.js'
import { SiblingMetrics } from './sibling-metrics.js'

/** Message from a worker to the primary */
export type WorkerMessage = { state: 'listening' } | { state: 'ready'; url: string }

/** Message from the primary to a worker */
export const stopRequest = 'stop'

interface Primary {
  /** Access to the other workers' metrics, through the primary */
  siblings: SiblingMetrics
  reportReady(url: string): void
}

/**
 * Connects a worker to its primary; null if this process is not a worker. Calls `stop` when the primary requests it or is gone.
 */
export function connectToPrimary(stop: () => void): Primary | null {
  const { worker } = cluster
  if (!worker) return null
  const send = (message: WorkerMessage) => sendMessage(worker, message)
  worker.on('message', (message) => {
    if (message === stopRequest) stop()
  })
  worker.once('disconnect', () => {
    // Without this assignment, node would exit immediately, without finishing requests in flight.
    worker.exitedAfterDisconnect = true
    stop()
  })
  // A failed message to a primary that is gone must not end this process before its requests in flight are answered.
  worker.on('error', () => undefined)
  send({ state: 'listening' })
  sendHeartbeats(worker)
  return { siblings: new SiblingMetrics(worker, siblingTimeoutMs), reportReady: (url) => send({ state: 'ready', url }) }
}

/** Limits how long a frozen worker can delay the metrics of the other workers. */
const siblingTimeoutMs = 1_000
