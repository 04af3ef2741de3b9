import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onResponseClosed } from './response-closed.js'

/**
 * Begins the requests of a connection one after another: each when the answer to the one before it has been sent. So a connection costs no
 * more than one request at a time, and every response that is begun has its connection to itself. A connection on which too many requests
 * wait, or one that waits behind a stream, is ended.
 */
export class PipelinedRequests {
  private readonly waiting = new WeakMap<Socket, Set<IncomingMessage>>()
  private readonly streaming = new WeakSet<Socket>()

  inFrontOf(listener: RequestListener): RequestListener {
    return (request, response) => {
      // Node gives a response its connection when the one before it has been sent.
      if (response.socket !== null) listener(request, response)
      else this.wait(request, response, listener)
    }
  }

  /** For a response that does not end soon. Ends the connection where another request waits behind it already. */
  stream(response: ServerResponse): void {
    const { socket } = response.req
    this.streaming.add(socket)
    onResponseClosed(response, () => this.streaming.delete(socket))
    if (this.waitingOn(socket).size > 0) this.end(socket)
  }

  private wait(request: IncomingMessage, response: ServerResponse, listener: RequestListener): void {
    const { socket } = request
    // Node reads on to the end of what it has received.
    if (socket.destroyed) return void request.destroy()
    const waiting = this.waitingOn(socket)
    waiting.add(request)
    response.once('socket', () => {
      waiting.delete(request)
      if (!socket.destroyed) listener(request, response)
    })
    if (this.streaming.has(socket) || waiting.size > maxWaiting) this.end(socket)
  }

  private waitingOn(socket: Socket): Set<IncomingMessage> {
    const known = this.waiting.get(socket)
    if (known) return known
    const waiting = new Set<IncomingMessage>()
    this.waiting.set(socket, waiting)
    return waiting
  }

  private end(socket: Socket): void {
    // First, and without an error: with its connection, each would be ended with a stack trace of its own, which takes most of the time.
    for (const request of this.waitingOn(socket)) request.destroy()
    socket.destroy()
  }
}

/** Each keeps some kilobytes. */
const maxWaiting = 8
