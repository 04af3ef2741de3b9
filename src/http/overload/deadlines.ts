/** The request took longer than its deadline, and was cancelled. */
export class DeadlineExceededError extends Error {
  override readonly name = 'DeadlineExceededError'
}

/** The client closed its connection before its request was answered. */
export class ClientDisconnectedError extends Error {
  override readonly name = 'ClientDisconnectedError'
}

export interface DeadlinesOptions {
  /** How long a request may take, counted from its arrival */
  timeoutMs: number
  /** A monotonic clock, in milliseconds */
  now: () => number
}

/** The connection that the response will be sent on: usually the socket of the client */
export interface Connection {
  readonly destroyed: boolean
}

/** The connection of a subscription's operations. They end with the stream, so they do not check the real connection. */
export const alwaysOpen: Connection = { destroyed: false }

/** The connection of a request that never waits: the request is cancelled as soon as it needs more than cached values. */
export const noWaitConnection: Connection = { destroyed: true }

/** Cancels requests that take too long, and requests whose client has disconnected. One timer checks all of them. */
export class Deadlines {
  /** The time when the timer last fired: up to 50 ms old, but reading this field costs nothing */
  coarseNow: number
  readonly waiting = new Set<RequestCancellation>()
  private timer: NodeJS.Timeout | undefined

  constructor(readonly options: DeadlinesOptions) {
    this.coarseNow = options.now()
  }

  start(): void {
    // After a stall of the process, setImmediate() lets results that have arrived be read from the sockets before the check.
    this.timer = setInterval(() => setImmediate(() => this.checkAll()), checkIntervalMs).unref()
  }

  stop(): void {
    clearInterval(this.timer)
  }

  private checkAll(): void {
    this.coarseNow = this.options.now()
    for (const cancellation of this.waiting) cancellation.check()
  }
}

/** The cancellation of one request, which loaders and commands read or are notified of */
export class RequestCancellation {
  private readonly callbacks = new Set<(reason: Error) => void>()
  private firstReason: Error | undefined

  constructor(
    private readonly deadlines: Deadlines,
    private readonly connection: Connection,
    private readonly arrivedAt: number,
  ) {}

  /** Why the request is cancelled: the first reason that was found; undefined while the request is not cancelled */
  get reason(): Error | undefined {
    if (this.firstReason) return this.firstReason
    const { timeoutMs } = this.deadlines.options
    if (this.connection.destroyed) this.firstReason = new ClientDisconnectedError('The client closed its connection')
    else if (this.deadlines.coarseNow - this.arrivedAt >= timeoutMs)
      this.firstReason = new DeadlineExceededError(`The request took longer than ${timeoutMs} ms and was cancelled`)
    return this.firstReason
  }

  /** Calls back when the request is cancelled. Returns a function that removes the callback. */
  onCancel(callback: (reason: Error) => void): () => void {
    // The callback is wrapped, because it may be registered several times, and a set would keep only one of the registrations.
    const registered = (reason: Error) => callback(reason)
    this.callbacks.add(registered)
    this.deadlines.waiting.add(this)
    return () => {
      this.callbacks.delete(registered)
      if (this.callbacks.size === 0) this.deadlines.waiting.delete(this)
    }
  }

  /** Calls and removes all callbacks if the request has been cancelled. */
  check(): void {
    const { reason } = this
    if (!reason) return
    this.deadlines.waiting.delete(this)
    const callbacks = [...this.callbacks]
    this.callbacks.clear()
    for (const callback of callbacks) callback(reason)
  }
}

const checkIntervalMs = 50
