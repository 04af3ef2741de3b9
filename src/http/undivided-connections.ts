import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onResponseClosed } from './response-closed.js'

/**
 * Gives streams a connection to themselves. The answer of a request that was pipelined behind a stream would be kept, with the request's
 * place among those in flight, for as long as the stream lasts.
 */
export class UndividedConnections {
  private readonly latest = new WeakMap<Socket, IncomingMessage>()
  private readonly taken = new WeakSet<Socket>()

  /** Ends connections on which a request comes behind a stream. */
  inFrontOf(listener: RequestListener): RequestListener {
    return (request, response) => {
      const { socket } = request
      if (this.taken.has(socket)) return void socket.destroy()
      this.latest.set(socket, request)
      listener(request, response)
    }
  }

  /** For a response that does not end soon. Ends the connection where another request has come behind it already. */
  take(response: ServerResponse): void {
    const { socket } = response.req
    if (this.latest.get(socket) !== response.req) return void socket.destroy()
    this.taken.add(socket)
    onResponseClosed(response, () => this.taken.delete(socket))
  }
}
