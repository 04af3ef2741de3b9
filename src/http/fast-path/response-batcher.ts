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
  /** Of a body that is a string; latin1 if all of its characters are ASCII */
  encoding: 'utf8' | 'latin1'
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
    for (const { response, headers, body, encoding } of pending)
      response.writeHead(200, headers as string[]).write(body, encoding)
    // end(body) would send two chunks, the second one empty, and Node writes several chunks less efficiently than one. Before this callback,
    // Node has passed what write() was given to the socket.
    process.nextTick(() => {
      for (const { response } of pending) response.end()
    })
    const now = performance.now()
    for (const sent of pending) this.observe(sent, (now - sent.startedAt) / 1000)
  }
}
