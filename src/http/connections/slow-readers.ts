import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface SlowReadersOptions {
  /** A connection that has had unsent data for this long is closed. */
  maxUnsentMs: number
  /** Limit for all connections together. Above this limit, the connections with the most unsent data are closed. */
  maxUnsentBytes: number
  /** A monotonic clock, in milliseconds */
  now: () => number
}

/** Closes connections of clients that do not read their responses, because unsent data takes memory. */
export class SlowReaders {
  /** When a connection began to have unsent data; undefined if the last check found no unsent data */
  private readonly unsentSince = new Map<Socket, number | undefined>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: SlowReadersOptions) {}

  watch(server: Server): void {
    server.on('connection', (socket) => {
      // ignoreUpgrade() emits the same socket a second time.
      if (this.unsentSince.has(socket)) return
      this.unsentSince.set(socket, undefined)
      socket.once('close', () => this.unsentSince.delete(socket))
    })
    // After a stall of the process, setImmediate() lets completed writes be processed before the check.
    this.timer = setInterval(() => setImmediate(() => this.check()), checkIntervalMs).unref()
    server.once('close', () => clearInterval(this.timer))
  }

  private check(): void {
    const now = this.options.now()
    const unsent: Socket[] = []
    for (const [socket, since = now] of this.unsentSince) {
      const isUnsent = socket.writableLength > 0
      this.unsentSince.set(socket, isUnsent ? since : undefined)
      if (isUnsent && now - since >= this.options.maxUnsentMs) socket.destroy()
      else if (isUnsent) unsent.push(socket)
    }
    this.closeLargest(unsent)
  }

  private closeLargest(unsent: Socket[]): void {
    let totalBytes = unsent.reduce((sum, { writableLength }) => sum + writableLength, 0)
    if (totalBytes <= this.options.maxUnsentBytes) return
    for (const socket of unsent.sort((a, b) => b.writableLength - a.writableLength)) {
      if (totalBytes <= this.options.maxUnsentBytes) return
      totalBytes -= socket.writableLength
      socket.destroy()
    }
  }
}

const checkIntervalMs = 250
