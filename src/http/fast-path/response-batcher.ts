import type { ServerResponse } from 'node:http'
import type { Viewer } from '../../platform/auth/viewer.js'

export interface BatchedResponse {
  requestId: string
  viewer: Viewer
  /** Start time on the monotonic clock, in milliseconds */
  startedAt: number
  operation: string | undefined
  /** Estimated cost in points */
  cost: number
  response: ServerResponse
  /** Alternating names and values */
  headers: readonly string[]
  body: string | Buffer
}

/**
 * Sends all responses of one iteration of the event loop together, after all requests of the iteration have been read. A write
 * may wake the client process, which is expensive: on a virtual machine, a wake-up costs more than most responses. After a batch
 * of writes, the client reads many responses per wake-up.
 */
export class ResponseBatcher {
  private pending: BatchedResponse[] = []

  /** `observe` is called for every response after the response was written. */
  constructor(private readonly observe: (response: BatchedResponse, seconds: number) => void) {}

  enqueue(response: BatchedResponse): void {
    if (this.pending.push(response) === 1) setImmediate(() => this.flush())
  }

  private flush(): void {
    const { pending } = this
    this.pending = []
    for (const { response, headers, body } of pending) response.writeHead(200, headers as string[]).end(body)
    const now = performance.now()
    for (const sent of pending) this.observe(sent, (now - sent.startedAt) / 1000)
  }
}
