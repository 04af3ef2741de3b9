export interface TurnsOptions {
  /** Above that, fewer begin in a turn; well below it, more, where as many began as might. */
  longMs: number
  /** Of one client */
  maxWaiting: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** Whether there was something to do: whoever is refused, or gone, takes little time. */
type Begin = () => boolean

/**
 * Lets requests begin so many in one turn of the event loop that turns stay short: those of a client in the order of their arrival, and the
 * clients one after another, so that nobody waits for all that somebody else has asked for. Node takes one new connection a turn: while
 * hundreds come, turns have to be shorter still, or new clients and probes would wait for all of them.
 */
export class Turns {
  /** By client. The one whose turn it is comes first. */
  private readonly waiting = new Map<string, Set<Begin>>()
  /** How many may begin in a turn */
  private width = startWidth
  private begun = 0
  private turnBeganAt: number | undefined
  /** In this turn */
  private hasConnected = false
  /** While connections come, no request begins before. */
  private heldUntil = 0

  constructor(private readonly options: TurnsOptions) {}

  /** To be told of each new connection */
  connected(): void {
    this.hasConnected = true
    this.noticeTurn()
  }

  /** Calls back at once where that may begin in this turn, else in a later one. Answers false, and does not, where too many wait. */
  wait(client: string, begin: Begin): boolean {
    this.noticeTurn()
    if (this.hasConnected || this.waiting.size > 0 || this.begun >= this.width) return this.enqueue(client, begin)
    this.begin(begin)
    return true
  }

  private enqueue(client: string, begin: Begin): boolean {
    const queue = this.waiting.get(client) ?? new Set()
    if (queue.size === this.options.maxWaiting) return false
    this.waiting.set(client, queue.add(begin))
    return true
  }

  private noticeTurn(): void {
    if (this.turnBeganAt !== undefined) return
    this.turnBeganAt = this.options.now()
    setImmediate(this.endTurn)
  }

  private readonly endTurn = (): void => {
    const tookMs = this.options.now() - (this.turnBeganAt as number)
    if (tookMs > this.options.longMs) this.width = Math.max(1, Math.floor(this.width / 2))
    else if (tookMs < this.options.longMs / 2 && this.begun >= this.width) this.width = Math.min(maxWidth, this.width + 1)
    const room = this.roomOfNextTurn(tookMs)
    this.begun = 0
    this.turnBeganAt = undefined
    if (this.waiting.size === 0) return
    this.noticeTurn()
    while (this.begun < room) {
      const begin = this.dequeue()
      if (!begin) return
      this.begin(begin)
    }
  }

  private roomOfNextTurn(tookMs: number): number {
    const now = this.options.now()
    if (this.begun > 0) this.heldUntil = now + connectingShare * Math.min(tookMs, this.options.longMs)
    if (!this.hasConnected) return this.width
    this.hasConnected = false
    return now < this.heldUntil ? 0 : 1
  }

  private begin(begin: Begin): void {
    this.begun += begin() ? 1 : refusalShare
  }

  private dequeue(): Begin | undefined {
    for (const [client, queue] of this.waiting) {
      const [begin] = queue as Iterable<Begin> as [Begin]
      queue.delete(begin)
      this.waiting.delete(client)
      if (queue.size > 0) this.waiting.set(client, queue)
      return begin
    }
    return undefined
  }
}

const startWidth = 16
const maxWidth = 256
/** Of what it takes to begin one */
const refusalShare = 1 / 8
/** While new connections come, so much time is theirs for each that requests take. */
const connectingShare = 2
