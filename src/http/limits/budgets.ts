import { LRUCache } from 'lru-cache'

export interface BudgetsOptions {
  /** What a client may use at once, and what it gets back in a minute */
  pointsPerMinute: number
  maxClients: number
  /** Points that one request may cost */
  maxCost: number
  /** Tells all processes what clients used here, and gives what they have used everywhere; undefined for a process by itself. */
  share: Share | undefined
  /** Milliseconds; only differences matter. */
  now: () => number
}

export type Share = (uses: readonly Use[], forgivenPerMs: number) => Promise<readonly number[]>

export interface Use {
  client: string
  points: number
}

interface Budget {
  readonly client: string
  /** Less what has been forgiven since */
  used: number
  at: number
  /** Of what was used here, what the others have not been told */
  untold: number
}

/**
 * What each client may still use, decided at once from what this process knows. It tells the others every second, and before a client has
 * used more than a twentieth of its budget that they do not know of: that is how far, for each process, a client can go beyond it.
 */
export class Budgets {
  /** As reported last: a counter never goes down, and what is charged may be given back. */
  private reportedPoints = 0
  private chargedPoints = 0
  private readonly budgets: LRUCache<string, Budget>
  private readonly forgivenPerMs: number
  private readonly maxUntold: number
  private readonly overdraft: number
  private toTell = new Set<Budget>()
  private telling: Promise<void> | undefined
  /** The others cannot be told: this process decides by itself. */
  private isAlone = false

  constructor(private readonly options: BudgetsOptions) {
    this.budgets = new LRUCache({ max: options.maxClients })
    this.forgivenPerMs = options.pointsPerMinute / 60_000
    this.maxUntold = options.pointsPerMinute / 20
    this.overdraft = Math.max(options.pointsPerMinute / 4, 2 * options.maxCost + 2 * maxReadingPoints)
  }

  /** Uses points, where there is anything left. The last request may overdraw a budget; the next ones wait until that is forgiven. */
  take(client: string, points: number): boolean {
    if (this.remaining(client) <= 0) return false
    this.charge(client, points)
    return true
  }

  /** The same, where the others need not be told first. */
  takeAtOnce(client: string, points: number): boolean {
    return this.mayDecide(client) && this.take(client, points)
  }

  /** Whatever is left. Less than nothing gives back. */
  charge(client: string, points: number): void {
    const budget = this.budgetOf(client)
    this.chargedPoints += points
    // So that a bar ends soon after its cause: some things are charged that cannot be refused.
    budget.used = Math.min(budget.used + points, this.options.pointsPerMinute + 2 * this.overdraft)
    if (!this.options.share) return
    budget.untold += points
    this.toTell.add(budget)
    if (!this.isAlone && budget.untold >= this.maxUntold / 2) void this.tell()
  }

  /** Points that all clients were charged since the process began */
  get charged(): number {
    this.reportedPoints = Math.max(this.reportedPoints, this.chargedPoints)
    return this.reportedPoints
  }

  remaining(client: string): number {
    return Math.floor(this.options.pointsPerMinute - this.budgetOf(client).used)
  }

  /** Whether a client has gone on asking while it was refused: it owes more than a request, or all processes, can have let in. */
  isFarBeyond(client: string): boolean {
    return this.budgets.peek(client) !== undefined && this.remaining(client) < -this.overdraft
  }

  /** How long, in whole seconds, until there is something left; 0 where there is */
  secondsToWait(client: string): number {
    const remaining = this.remaining(client)
    return remaining > 0 ? 0 : Math.ceil((1 - remaining) / this.forgivenPerMs / 1_000)
  }

  /** Resolves when enough is known of the client to decide. */
  async know(client: string): Promise<void> {
    while (!this.mayDecide(client)) await this.tell()
  }

  /** Never rejects: what could not be told is told the next time. */
  tell(): Promise<void> {
    this.telling ??= this.tellAll().finally(() => {
      this.telling = undefined
    })
    return this.telling
  }

  private async tellAll(): Promise<void> {
    const { share, now } = this.options
    if (!share || this.toTell.size === 0) return
    const told = [...this.toTell].map((budget) => ({ budget, client: budget.client, points: budget.untold }))
    this.toTell = new Set()
    try {
      const uses = await share(told, this.forgivenPerMs)
      for (const [index, { budget, points }] of told.entries()) {
        // What was used meanwhile comes on top.
        budget.untold = Math.max(0, budget.untold - points)
        budget.used = Number(uses[index]) + budget.untold
        budget.at = now()
      }
      this.isAlone = false
    } catch {
      for (const { budget } of told) this.toTell.add(budget)
      this.isAlone = true
    }
  }

  private mayDecide(client: string): boolean {
    return this.isAlone || this.budgetOf(client).untold < this.maxUntold
  }

  private budgetOf(client: string): Budget {
    const at = this.options.now()
    const known = this.budgets.get(client)
    if (known) {
      known.used = Math.max(0, known.used - (at - known.at) * this.forgivenPerMs)
      known.untold = Math.min(known.untold, known.used)
      known.at = at
      return known
    }
    const budget = { client, used: 0, at, untold: 0 }
    this.budgets.set(client, budget)
    return budget
  }
}

/** Of one request, beyond its operation: its bytes, its document, registering it */
const maxReadingPoints = 700
