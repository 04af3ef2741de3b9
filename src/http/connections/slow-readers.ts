import type { Server } from 'node:http'
import type { Socket } from 'node:net'

export interface SlowReadersOptions {
  /** A connection that has had something unsent for that long is ended. */
  maxUnsentMs: number
  /** Of all connections together; above it, those go that have the most unsent. */
  maxUnsentBytes: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** Ends the connections of clients that do not read what they asked for: it would be kept for them in memory. */
export class SlowReaders {
  /** Since when something has been unsent; undefined where all had been sent when it was looked at last */
  private readonly unsentSince = new Map<Socket, number | undefined>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: SlowReadersOptions) {}

  watch(server: Server): void {
    server.on('connection', (socket) => {
      // Another one for the same socket follows an upgrade that was ignored.
      if (this.unsentSince.has(socket)) return
      this.unsentSince.set(socket, undefined)
      socket.once('close', () => this.unsentSince.delete(socket))
    })
    // After a stall, an immediate runs after what the kernel has sent meanwhile is known.
    this.timer = setInterval(() => setImmediate(() => this.look()), lookEveryMs).unref()
    server.once('close', () => clearInterval(this.timer))
  }

  private look(): void {
    const now = this.options.now()
    const unsent: Socket[] = []
    for (const [socket, since = now] of this.unsentSince) {
      const isUnsent = socket.writableLength > 0
      this.unsentSince.set(socket, isUnsent ? since : undefined)
      if (isUnsent && now - since >= this.options.maxUnsentMs) socket.destroy()
      else if (isUnsent) unsent.push(socket)
    }
    this.endLargest(unsent)
  }

  private endLargest(unsent: Socket[]): void {
    let all = unsent.reduce((sum, { writableLength }) => sum + writableLength, 0)
    if (all <= this.options.maxUnsentBytes) return
    for (const socket of unsent.sort((a, b) => b.writableLength - a.writableLength)) {
      if (all <= this.options.maxUnsentBytes) return
      all -= socket.writableLength
      socket.destroy()
    }
  }
}

const lookEveryMs = 250
