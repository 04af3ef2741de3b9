import cluster from 'node:cluster'
import { beatFor } from './pulse.js'
import { say } from './say.js'
import { Siblings } from './siblings.js'

/** What a worker says to its primary */
export type WorkerMessage = { state: 'listening' } | { state: 'ready'; url: string }

/** What the primary says to a worker */
export const stopRequest = 'stop'

interface Primary {
  /** The other workers, who can be asked through it */
  siblings: Siblings
  announce(url: string): void
}

/** The process that supervises this one; null for one that nobody does. Stops this one when it wants to, or when it is gone. */
export function findPrimary(stop: () => void): Primary | null {
  const { worker } = cluster
  if (!worker) return null
  const tell = (message: WorkerMessage) => say(worker, message)
  worker.on('message', (message) => {
    if (message === stopRequest) stop()
  })
  worker.once('disconnect', () => {
    // Otherwise node ends the process here and now, whatever is in flight.
    worker.exitedAfterDisconnect = true
    stop()
  })
  // A message to a primary that is gone is no reason to leave what is in flight without an answer.
  worker.on('error', () => undefined)
  tell({ state: 'listening' })
  beatFor(worker)
  return { siblings: new Siblings(worker, siblingPatienceMs), announce: (url) => tell({ state: 'ready', url }) }
}

/** A worker that is frozen does not hold up the others. */
const siblingPatienceMs = 1_000
