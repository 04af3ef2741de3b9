import type { ServerResponse } from 'node:http'
import type { Viewer } from '../../platform/auth/viewer.js'

export interface BatchedResponse {
  requestId: string
  viewer: Viewer
  /** On the monotonic clock, in milliseconds */
  startedAt: number
  operation: string | undefined
  /** In points */
  cost: number
  response: ServerResponse
  /** Names and values alternate */
  headers: readonly string[]
  body: string | Buffer
}

/**
 * Sends all responses of one turn of the event loop together, after all of its requests have been read. Every write may wake the
 * reading process, which is expensive (on a virtual machine it costs more than most responses); after one batch of writes it
 * reads many responses.
 */
export class ResponseBatcher {
  private pending: BatchedResponse[] = []

  /** `observe` is called for every response after it was written. */
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
