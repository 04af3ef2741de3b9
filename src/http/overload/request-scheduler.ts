export interface RequestSchedulerOptions {
  /**
   * Target duration of an iteration of the event loop. After a longer iteration, fewer requests are started per iteration. After
   * an iteration that took less than half of the target and started as many requests as allowed, more requests are started.
   */
  targetIterationMs: number
  /** Maximum number of queued requests per client */
  maxQueued: number
  /** A monotonic clock, in milliseconds */
  now: () => number
}

/** Starts a request. Returns false if the request was refused or its client had disconnected, which takes little time. */
type StartRequest = () => boolean

/**
 * Limits how many requests are started in one iteration of the event loop, so that iterations stay short. Requests of one client
 * start in order of arrival, and clients take turns (round robin), so that no client waits for all requests of another client.
 * Node accepts one new connection per iteration. While hundreds of connections arrive, iterations therefore have to be even
 * shorter; otherwise new clients and probes would wait for the queued requests.
 */
export class RequestScheduler {
  /** Queues by client, in round-robin order: the first client is served next. */
  private readonly queues = new Map<string, Set<StartRequest>>()
  private maxStarts = initialMaxStarts
  /** Requests started in this iteration; refusals count as a fraction of one. */
  private starts = 0
  private iterationStartedAt: number | undefined
  /** Whether a connection was accepted in this iteration */
  private hasNewConnection = false
  /** While connections arrive, no request starts before this time. */
  private pausedUntil = 0

  constructor(private readonly options: RequestSchedulerOptions) {}

  /** Must be called for each new connection. */
  onConnection(): void {
    this.hasNewConnection = true
    this.trackIteration()
  }

  /**
   * Calls `start` synchronously if this iteration may start another request, otherwise in a later iteration. Returns false, and
   * never calls `start`, if too many requests of this client are queued.
   */
  schedule(client: string, start: StartRequest): boolean {
    this.trackIteration()
    if (this.hasNewConnection || this.queues.size > 0 || this.starts >= this.maxStarts) return this.enqueue(client, start)
    this.run(start)
    return true
  }

  private enqueue(client: string, start: StartRequest): boolean {
    const queue = this.queues.get(client) ?? new Set()
    if (queue.size === this.options.maxQueued) return false
    this.queues.set(client, queue.add(start))
    return true
  }

  private trackIteration(): void {
    if (this.iterationStartedAt !== undefined) return
    this.iterationStartedAt = this.options.now()
    setImmediate(this.endIteration)
  }

  private readonly endIteration = (): void => {
    const { now, targetIterationMs } = this.options
    const durationMs = now() - (this.iterationStartedAt as number)
    if (durationMs > targetIterationMs) this.maxStarts = Math.max(1, Math.floor(this.maxStarts / 2))
    else if (durationMs < targetIterationMs / 2 && this.starts >= this.maxStarts)
      this.maxStarts = Math.min(maxStartsLimit, this.maxStarts + 1)
    const maxStarts = this.maxStartsOfNextIteration(durationMs)
    this.starts = 0
    this.iterationStartedAt = undefined
    if (this.queues.size === 0) return
    this.trackIteration()
    while (this.starts < maxStarts) {
      const start = this.dequeue()
      if (!start) return
      this.run(start)
    }
  }

  private maxStartsOfNextIteration(durationMs: number): number {
    const now = this.options.now()
    if (this.starts > 0) this.pausedUntil = now + connectionTimeShare * Math.min(durationMs, this.options.targetIterationMs)
    if (!this.hasNewConnection) return this.maxStarts
    this.hasNewConnection = false
    return now < this.pausedUntil ? 0 : 1
  }

  private run(start: StartRequest): void {
    this.starts += start() ? 1 : refusalShare
  }

  private dequeue(): StartRequest | undefined {
    for (const [client, queue] of this.queues) {
      const [start] = queue as Iterable<StartRequest> as [StartRequest]
      queue.delete(start)
      this.queues.delete(client)
      if (queue.size > 0) this.queues.set(client, queue)
      return start
    }
    return undefined
  }
}

const initialMaxStarts = 16
const maxStartsLimit = 256
/** The time that a refusal takes, as a fraction of the time of a request */
const refusalShare = 1 / 8
/** While new connections arrive, requests are paused for this multiple of the time that they took. */
const connectionTimeShare = 2
