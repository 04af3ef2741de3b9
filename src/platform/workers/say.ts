import type { Serializable } from 'node:child_process'
import type { Worker } from 'node:cluster'

/** Between a worker and its primary, either way. To one that is gone it is said in vain, which is no fault. */
export function say(worker: Worker, message: Serializable): void {
  if (worker.isConnected()) worker.send(message, () => undefined)
}
