import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onResponseClosed } from './response-closed.js'

/**
 * Handles the pipelined requests of a connection one at a time: each request starts when the response to the previous request has
 * been sent. A connection therefore never takes the capacity of more than one request, and a response that has started owns its
 * connection. A connection is closed if too many requests are waiting on it, or if a request is waiting behind a stream.
 */
export class PipelinedRequests {
  private readonly waiting = new WeakMap<Socket, Set<IncomingMessage>>()
  private readonly streaming = new WeakSet<Socket>()

  wrap(listener: RequestListener): RequestListener {
    return (request, response) => {
      // Node assigns the socket to a response when the previous response has been sent.
      if (response.socket !== null) listener(request, response)
      else this.wait(request, response, listener)
    }
  }

  /** Marks a response as a long-lived stream. Closes the connection if another request is already waiting behind it. */
  markStreaming(response: ServerResponse): void {
    const { socket } = response.req
    this.streaming.add(socket)
    onResponseClosed(response, () => this.streaming.delete(socket))
    if (this.waitingOn(socket).size > 0) this.close(socket)
  }

  private wait(request: IncomingMessage, response: ServerResponse, listener: RequestListener): void {
    const { socket } = request
    // Node continues to parse data that it received before the connection was closed.
    if (socket.destroyed) return void request.destroy()
    const waiting = this.waitingOn(socket)
    waiting.add(request)
    response.once('socket', () => {
      waiting.delete(request)
      if (!socket.destroyed) listener(request, response)
    })
    if (this.streaming.has(socket) || waiting.size > maxWaiting) this.close(socket)
  }

  private waitingOn(socket: Socket): Set<IncomingMessage> {
    const existing = this.waiting.get(socket)
    if (existing) return existing
    const waiting = new Set<IncomingMessage>()
    this.waiting.set(socket, waiting)
    return waiting
  }

  private close(socket: Socket): void {
    // The requests are destroyed before the socket, and without an error. Otherwise Node would create an error with a stack trace
    // for each request, which takes most of the time.
    for (const request of this.waitingOn(socket)) request.destroy()
    socket.destroy()
  }
}

/** Maximum number of waiting requests per connection. Each takes a few kilobytes. */
const maxWaiting = 8
