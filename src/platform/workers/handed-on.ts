import type { ChildProcess } from 'node:child_process'
import type { Worker } from 'node:cluster'

type Send = ChildProcess['send']

/** A connection on its way to a worker, as node's cluster sends it. Its descriptor is negative once node has closed it here. */
interface Handed {
  message: unknown
  connection: { fd: number; close(): void }
}

/**
 * node's cluster closes its side of a connection that it handed to a worker when the worker says that it took it. One that dies before it
 * could say so leaves the connection open for ever, and nobody answers there. Here another worker gets it, in the same message, so that
 * what that one says is what node still waits for.
 */
export function handOnWhenItDies(worker: Worker, others: () => readonly Worker[]): void {
  const { process } = worker
  const send = process.send.bind(process) as (...all: unknown[]) => boolean
  let handed: Handed[] = []
  process.send = ((message: unknown, handle: unknown, ...more: unknown[]) => {
    if (isConnection(handle)) handed = [...handed.filter(isOpen), { message, connection: handle }]
    return send(message, handle, ...more)
  }) as Send

  const handOn = () => {
    const left = handed.filter(isOpen)
    handed = []
    for (const { message, connection } of left) {
      const [other] = others()
      if (other) (other.process.send as (...all: unknown[]) => boolean)(message, connection)
      else connection.close()
    }
  }
  // Either may be first, and a connection may be sent in between.
  worker.once('disconnect', handOn)
  worker.once('exit', handOn)
}

function isConnection(handle: unknown): handle is Handed['connection'] {
  return typeof handle === 'object' && handle !== null && 'fd' in handle && 'close' in handle
}

function isOpen({ connection }: Handed): boolean {
  return connection.fd >= 0
}
