import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface SlowReadersOptions {
  /** A connection that has had unsent data for this long is closed. */
  maxUnsentMs: number
  /** Of all connections together. Above it, the connections with the most unsent data are closed. */
  maxUnsentBytes: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** Closes the connections of clients that do not read their responses, because unsent data stays in memory. */
export class SlowReaders {
  /** Since when a connection has had unsent data; undefined if it had none at the last check */
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
    // After a stall of the process, an immediate runs after the completed writes were processed.
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
