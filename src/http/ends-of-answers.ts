import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Tells when answers are over: sent, or cut off with their connection. An answer behind others on a connection does not hear of its end. */
export class EndsOfAnswers {
  private readonly open = new WeakMap<Socket, Set<() => void>>()

  callOnce(response: ServerResponse, socket: Socket, callback: () => void): void {
    const open = this.open.get(socket) ?? this.watch(socket)
    // The same function may be given for several answers.
    const once = () => callback()
    open.add(once)
    response.once('close', () => {
      if (open.delete(once)) callback()
    })
  }

  private watch(socket: Socket): Set<() => void> {
    const open = new Set<() => void>()
    this.open.set(socket, open)
    socket.once('close', () => {
      for (const callback of open) callback()
      open.clear()
    })
    return open
  }
}
