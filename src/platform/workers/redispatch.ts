import type { ChildProcess } from 'node:child_process'
import type { Worker } from 'node:cluster'

type Send = ChildProcess['send']

/** A connection being sent to a worker by node's cluster. Its descriptor is negative once node has closed it in this process. */
interface SentConnection {
  message: unknown
  connection: { fd: number; close(): void }
}

/**
 * Sends the connections that a dead worker has not acknowledged to another worker. node's cluster closes its side of a connection
 * when the worker acknowledges the connection. If the worker dies before that, the connection would stay open forever without an
 * answer. Repeating the original message makes the other worker send the acknowledgement that node still waits for.
 */
export function redispatchConnections(worker: Worker, others: () => readonly Worker[]): void {
  const { process } = worker
  const send = process.send.bind(process) as (...args: unknown[]) => boolean
  let sent: SentConnection[] = []
  process.send = ((message: unknown, handle: unknown, ...more: unknown[]) => {
    if (isConnection(handle)) sent = [...sent.filter(isOpen), { message, connection: handle }]
    return send(message, handle, ...more)
  }) as Send

  const redispatch = () => {
    const unacknowledged = sent.filter(isOpen)
    sent = []
    for (const { message, connection } of unacknowledged) {
      const [other] = others()
      if (other) (other.process.send as (...args: unknown[]) => boolean)(message, connection)
      else connection.close()
    }
  }
  // Either event may come first, and a connection may be sent in between.
  worker.once('disconnect', redispatch)
  worker.once('exit', redispatch)
}

function isConnection(handle: unknown): handle is SentConnection['connection'] {
  return typeof handle === 'object' && handle !== null && 'fd' in handle && 'close' in handle
}

function isOpen({ connection }: SentConnection): boolean {
  return connection.fd >= 0
}
