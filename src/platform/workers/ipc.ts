import type { Serializable } from 'node:child_process'
import type { Worker } from 'node:cluster'

/** Sends a message between a worker and its primary, in either direction. Does nothing if the other side is gone. */
export function sendMessage(worker: Worker, message: Serializable): void {
  if (worker.isConnected()) worker.send(message, () => undefined)
}
