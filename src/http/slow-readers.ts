import type { Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onResponseClosed } from './response-closed.js'

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
  /** Responses that wait behind another on their connection, which does not know of what they hold */
  private readonly queued = new Map<Socket, Set<ServerResponse>>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly options: SlowReadersOptions) {}

  watch(server: Server): void {
    server.on('connection', (socket) => {
      // Another one for the same socket follows an upgrade that was ignored.
      if (this.unsentSince.has(socket)) return
      this.unsentSince.set(socket, undefined)
      socket.once('close', () => this.unsentSince.delete(socket))
    })
    server.on('request', (_, response) => {
      if (response.socket === null) this.queue(response)
    })
    // After a stall, an immediate runs after what the kernel has sent meanwhile is known.
    this.timer = setInterval(() => setImmediate(() => this.look()), lookEveryMs).unref()
    server.once('close', () => clearInterval(this.timer))
  }

  private queue(response: ServerResponse): void {
    const { socket } = response.req
    const queued = this.queued.get(socket) ?? new Set()
    this.queued.set(socket, queued.add(response))
    onResponseClosed(response, () => {
      queued.delete(response)
      if (queued.size === 0) this.queued.delete(socket)
    })
  }

  private look(): void {
    const now = this.options.now()
    const unsent: Unsent[] = []
    for (const [socket, since = now] of this.unsentSince) {
      const isUnsent = socket.writableLength > 0
      this.unsentSince.set(socket, isUnsent ? since : undefined)
      if (isUnsent && now - since >= this.options.maxUnsentMs) socket.destroy()
      else if (isUnsent || this.queued.has(socket)) unsent.push({ socket, bytes: this.unsentBytes(socket) })
    }
    this.endLargest(unsent)
  }

  private endLargest(unsent: Unsent[]): void {
    let all = unsent.reduce((sum, { bytes }) => sum + bytes, 0)
    if (all <= this.options.maxUnsentBytes) return
    for (const { socket, bytes } of unsent.sort((a, b) => b.bytes - a.bytes)) {
      if (all <= this.options.maxUnsentBytes) return
      all -= bytes
      socket.destroy()
    }
  }

  private unsentBytes(socket: Socket): number {
    let bytes = socket.writableLength
    for (const response of this.queued.get(socket) ?? []) if (response.socket === null) bytes += response.writableLength
    return bytes
  }
}

interface Unsent {
  socket: Socket
  bytes: number
}

const lookEveryMs = 250
