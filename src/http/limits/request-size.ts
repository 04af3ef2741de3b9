import type { IncomingMessage } from 'node:http'

/** Computes sizes of requests in bytes: the URL plus the body (Content-Length, or the bytes received so far). */
export class RequestSizes {
  /** Body bytes received so far, for requests without a Content-Length */
  private readonly counted = new WeakMap<IncomingMessage, number>()

  /**
   * Starts to count the bytes of a body without a Content-Length. The body must begin to be read in the same iteration of the
   * event loop, because listening for data starts the flow of data.
   */
  count(request: IncomingMessage): void {
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] === undefined) return
    request.on('data', (chunk: Buffer) => this.counted.set(request, this.bodyBytes(request) + chunk.length))
  }

  of(request: IncomingMessage): number {
    return (request.url?.length ?? 0) + this.bodyBytes(request)
  }

  private bodyBytes(request: IncomingMessage): number {
    return Number(request.headers['content-length'] ?? this.counted.get(request) ?? 0)
  }
}
