import type { IncomingMessage } from 'node:http'

/** Bytes of requests as they came: their address, and as much of the body as was read. */
export class RequestSizes {
  /** Of bodies whose head does not say it */
  private readonly counted = new WeakMap<IncomingMessage, number>()

  /** To be called before the body is read, in the same turn. */
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
