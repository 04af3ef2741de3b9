import { LRUCache } from 'lru-cache'

export interface BudgetsOptions {
  /** How many points a client may use at once, and how many are replenished per minute */
  pointsPerMinute: number
  maxClients: number
  /** The most points that the operation of one request may cost, without the overhead of the request (see maxOverheadPoints) */
  maxCost: number
  /**
   * Shares the usage of this process with all other processes. If undefined, usage is not shared, and each process allows the
   * whole budget.
   */
  syncUsage: SyncUsage | undefined
  /** A clock in milliseconds; only differences matter. */
  now: () => number
}

/** Adds points used in this process to the totals of all processes. Resolves with the new totals, in the order of `usages`. */
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
  /** The part of `used` that this process has not shared yet */
  unsynced: number
}

/**
 * Decides how many points each client may still use, usually without waiting for other processes. Each process shares usage with
 * the other processes when its timer calls sync() every second, and sooner if a client's unshared usage reaches 2.5 % of its
 * budget. At 5 %, ensureSynced(), which callers await before they decide, waits until the usage is shared. A client can therefore
 * exceed its budget by about 5 % per process. While sharing fails, each process decides alone.
 */
export class Budgets {
  /** The last value that reportCharged() returned */
  private reportedPoints = 0
  private chargedPoints = 0
  private readonly budgets: LRUCache<string, Budget>
  private readonly replenishedPerMs: number
  /** 5 % of the budget. If a client has this many points of unshared usage, its requests wait until they are shared. */
  private readonly maxUnsynced: number
  /**
   * The largest debt of a client that stops when it is refused: a quarter of the budget, which five processes reach by 5 % each,
   * but at least the points of two of the most expensive requests, since a second process may accept one before the first one is
   * shared.
   */
  private readonly toleratedOverdraft: number
  private unsyncedBudgets = new Set<Budget>()
  private syncing: Promise<void> | undefined
  /** Whether the last attempt to share usage failed. This process then decides alone. */
  private lastSyncFailed = false

  constructor(private readonly options: BudgetsOptions) {
    this.budgets = new LRUCache({ max: options.maxClients })
    this.replenishedPerMs = options.pointsPerMinute / 60_000
    this.maxUnsynced = options.pointsPerMinute / 20
    this.toleratedOverdraft = Math.max(options.pointsPerMinute / 4, 2 * options.maxCost + 2 * maxOverheadPoints)
  }

  /**
   * Charges the points and returns true if the client has any points left; otherwise returns false. A request may thus overdraw
   * the budget. Further requests are refused until the debt is replenished.
   */
  tryConsume(client: string, points: number): boolean {
    if (this.remaining(client) <= 0) return false
    this.charge(client, points)
    return true
  }

  /** Like tryConsume(), but also returns false if ensureSynced() would have to wait. */
  tryConsumeLocally(client: string, points: number): boolean {
    return this.mayDecideLocally(client) && this.tryConsume(client, points)
  }

  /** Charges points even if none are left. Negative points are a refund. */
  charge(client: string, points: number): void {
    const budget = this.budgetOf(client)
    this.chargedPoints += points
    // The debt is limited, because some charges are for work that the server could not refuse, and such charges must not lock out
    // a client for long.
    budget.used = Math.min(budget.used + points, this.options.pointsPerMinute + 2 * this.toleratedOverdraft)
    if (!this.options.syncUsage) return
    budget.unsynced += points
    this.unsyncedBudgets.add(budget)
    if (!this.lastSyncFailed && budget.unsynced >= this.maxUnsynced / 2) void this.sync()
  }

  /**
   * Returns the points charged to all clients since the process started, for a metric. The metric is a counter, so the result is
   * never less than that of the previous call, although charged points may be refunded.
   */
  reportCharged(): number {
    this.reportedPoints = Math.max(this.reportedPoints, this.chargedPoints)
    return this.reportedPoints
  }

  /** Points that the client may still use; negative if the budget is overdrawn */
  remaining(client: string): number {
    return Math.floor(this.options.pointsPerMinute - this.budgetOf(client).used)
  }

  /**
   * Whether a client kept sending requests after it was refused, for which callers charge points too: its debt is larger than
   * accepted requests can cause, even if processes accept them before they have shared the usage.
   */
  isFarOverdrawn(client: string): boolean {
    return this.budgets.peek(client) !== undefined && this.remaining(client) < -this.toleratedOverdraft
  }

  /** Whole seconds until the client has points again; 0 if the client has points now */
  secondsToWait(client: string): number {
    const remaining = this.remaining(client)
    return remaining > 0 ? 0 : Math.ceil((1 - remaining) / this.replenishedPerMs / 1_000)
  }

  /**
   * Resolves when this process may decide about the client: immediately, unless too much of the client's usage is not shared yet.
   */
  async ensureSynced(client: string): Promise<void> {
    while (!this.mayDecideLocally(client)) await this.sync()
  }

  /** Shares usage with the other processes. Never rejects: after a failure, the next call shares the same usage again. */
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
        // The total does not contain points that were charged during the call.
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

  /**
   * Returns the budget of the client, replenished for the time since its last update. Creates the budget if the client has none.
   */
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

/**
 * The most points charged for one request in addition to its operation: for its bytes, and for parsing and registering its
 * document
 */
const maxOverheadPoints = 700
