export interface TurnsOptions {
  /** Above that, fewer begin in a turn; well below it, more, where as many began as might. */
  longMs: number
  /** Monotonic, in milliseconds */
  now: () => number
}

/** Whether there was something to do. */
type Begin = () => boolean

/**
 * Lets requests begin in the order of their arrival, so many in one turn of the event loop that turns stay short. Node takes one new
 * connection a turn: were all that have arrived answered in one, neither new clients nor probes would be heard for as long as that takes.
 */
export class Turns {
  private waiting: Begin[] = []
  /** How many may begin in a turn */
  private width = startWidth
  private begun = 0
  private turnBeganAt: number | undefined

  constructor(private readonly options: TurnsOptions) {}

  /** Calls back at once where that may begin in this turn, else in a later one. */
  wait(begin: Begin): void {
    this.noticeTurn()
    if (this.waiting.length > 0 || this.begun >= this.width) this.waiting.push(begin)
    else if (begin()) this.begun += 1
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
    this.begun = 0
    this.turnBeganAt = undefined
    if (this.waiting.length === 0) return
    this.noticeTurn()
    let next = 0
    while (next < this.waiting.length && this.begun < this.width) if (this.waiting[next++]?.()) this.begun += 1
    this.waiting.splice(0, next)
  }
}

const startWidth = 16
const maxWidth = 256
