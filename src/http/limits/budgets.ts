import { LRUCache } from 'lru-cache'

export interface BudgetsOptions {
  /** How much a client may use at once, and how much is replenished per minute */
  pointsPerMinute: number
  maxClients: number
  /** The most points that one request may cost */
  maxCost: number
  /**
   * Adds the usage of this process to the usage of all processes; undefined if nothing is shared, and each process decides alone.
   */
  syncUsage: SyncUsage | undefined
  /** Milliseconds; only differences matter. */
  now: () => number
}

/** Adds points used here to shared totals. Resolves with the new totals, in the order of `usages`. */
export type SyncUsage = (usages: readonly Usage[], replenishedPerMs: number) => Promise<readonly number[]>

export interface Usage {
  client: string
  points: number
}

interface Budget {
  readonly client: string
  /** Points used and not yet replenished, as of `updatedAt` */
  used: number
  updatedAt: number
  /** The part of `used` that was used here and has not been shared yet */
  unsynced: number
}

/**
 * How much each client may still use, decided locally, without waiting for other processes. Usage is shared every second, and
 * before a client has used more than a twentieth of its budget here that is not shared yet: by that much, per process, a client
 * can exceed its budget.
 */
export class Budgets {
  /** The last value of `charged`: a counter must never decrease, but charged points may be refunded. */
  private reportedPoints = 0
  private chargedPoints = 0
  private readonly budgets: LRUCache<string, Budget>
  private readonly replenishedPerMs: number
  private readonly maxUnsynced: number
  private readonly overdraft: number
  private unsyncedBudgets = new Set<Budget>()
  private syncing: Promise<void> | undefined
  /** While usage cannot be shared, this process decides alone. */
  private lastSyncFailed = false

  constructor(private readonly options: BudgetsOptions) {
    this.budgets = new LRUCache({ max: options.maxClients })
    this.replenishedPerMs = options.pointsPerMinute / 60_000
    this.maxUnsynced = options.pointsPerMinute / 20
    this.overdraft = Math.max(options.pointsPerMinute / 4, 2 * options.maxCost + 2 * maxOverheadPoints)
  }

  /** Charges points if any are left. The last request may overdraw the budget; the next ones wait until that is replenished. */
  tryConsume(client: string, points: number): boolean {
    if (this.remaining(client) <= 0) return false
    this.charge(client, points)
    return true
  }

  /** tryConsume(), but returns false if usage has to be shared first. */
  tryConsumeLocally(client: string, points: number): boolean {
    return this.mayDecideLocally(client) && this.tryConsume(client, points)
  }

  /** Charges points even if none are left. Negative points are a refund. */
  charge(client: string, points: number): void {
    const budget = this.budgetOf(client)
    this.chargedPoints += points
    // Bounded, so that a client is not locked out for long: some charges are for work that could not be refused.
    budget.used = Math.min(budget.used + points, this.options.pointsPerMinute + 2 * this.overdraft)
    if (!this.options.syncUsage) return
    budget.unsynced += points
    this.unsyncedBudgets.add(budget)
    if (!this.lastSyncFailed && budget.unsynced >= this.maxUnsynced / 2) void this.sync()
  }

  /** Points charged to all clients since the process started */
  get charged(): number {
    this.reportedPoints = Math.max(this.reportedPoints, this.chargedPoints)
    return this.reportedPoints
  }

  remaining(client: string): number {
    return Math.floor(this.options.pointsPerMinute - this.budgetOf(client).used)
  }

  /**
   * Whether a client went on sending requests while they were refused: it owes more than one request, or all processes together,
   * can have let through.
   */
  isFarOverdrawn(client: string): boolean {
    return this.budgets.peek(client) !== undefined && this.remaining(client) < -this.overdraft
  }

  /** Whole seconds until the client has points again; 0 if it has some now */
  secondsToWait(client: string): number {
    const remaining = this.remaining(client)
    return remaining > 0 ? 0 : Math.ceil((1 - remaining) / this.replenishedPerMs / 1_000)
  }

  /** Resolves when this process may decide about the client: at once, unless too much of its usage is not shared yet. */
  async ensureSynced(client: string): Promise<void> {
    while (!this.mayDecideLocally(client)) await this.sync()
  }

  /** Shares usage with the other processes. Never rejects: what could not be shared is shared the next time. */
  sync(): Promise<void> {
    this.syncing ??= this.syncAll().finally(() => {
      this.syncing = undefined
    })
    return this.syncing
  }

  private async syncAll(): Promise<void> {
    const { syncUsage, now } = this.options
    if (!syncUsage || this.unsyncedBudgets.size === 0) return
    const usages = [...this.unsyncedBudgets].map((budget) => ({ budget, client: budget.client, points: budget.unsynced }))
    this.unsyncedBudgets = new Set()
    try {
      const totals = await syncUsage(usages, this.replenishedPerMs)
      for (const [index, { budget, points }] of usages.entries()) {
        // Points used during the call are not in the total yet.
        budget.unsynced = Math.max(0, budget.unsynced - points)
        budget.used = Number(totals[index]) + budget.unsynced
        budget.updatedAt = now()
      }
      this.lastSyncFailed = false
    } catch {
      for (const { budget } of usages) this.unsyncedBudgets.add(budget)
      this.lastSyncFailed = true
    }
  }

  private mayDecideLocally(client: string): boolean {
    return this.lastSyncFailed || this.budgetOf(client).unsynced < this.maxUnsynced
  }

  private budgetOf(client: string): Budget {
    const at = this.options.now()
    const existing = this.budgets.get(client)
    if (existing) {
      existing.used = Math.max(0, existing.used - (at - existing.updatedAt) * this.replenishedPerMs)
      existing.unsynced = Math.min(existing.unsynced, existing.used)
      existing.updatedAt = at
      return existing
    }
    const budget = { client, used: 0, updatedAt: at, unsynced: 0 }
    this.budgets.set(client, budget)
    return budget
  }
}

/** The most that one request is charged besides its operation: for its bytes, and for parsing and registering its document */
const maxOverheadPoints = 700
