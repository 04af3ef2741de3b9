import type { RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onResponseClosed } from './response-closed.js'

/**
 * Begins the requests of a connection one after another: each when the answer to the one before it has been sent. So a connection costs no
 * more than one request at a time, and every response that is begun has its connection to itself. A connection on which too many requests
 * wait, or one that waits behind a stream, is ended.
 */
export class PipelinedRequests {
  private readonly waiting = new WeakMap<Socket, number>()
  private readonly streaming = new WeakSet<Socket>()

  inFrontOf(listener: RequestListener): RequestListener {
    return (request, response) => {
      const { socket } = request
      // Node gives a response its connection when the one before it has been sent.
      if (response.socket !== null) return listener(request, response)
      if (this.streaming.has(socket) || this.waitingOn(socket) === maxWaiting) return void socket.destroy()
      this.add(socket, 1)
      response.once('socket', () => {
        this.add(socket, -1)
        if (!socket.destroyed) listener(request, response)
      })
    }
  }

  /** For a response that does not end soon. Ends the connection where another request waits behind it already. */
  stream(response: ServerResponse): void {
    const { socket } = response.req
    if (this.waitingOn(socket) > 0) return void socket.destroy()
    this.streaming.add(socket)
    onResponseClosed(response, () => this.streaming.delete(socket))
  }

  private waitingOn(socket: Socket): number {
    return this.waiting.get(socket) ?? 0
  }

  private add(socket: Socket, count: number): void {
    this.waiting.set(socket, this.waitingOn(socket) + count)
  }
}

/** Each keeps some kilobytes. */
const maxWaiting = 16
