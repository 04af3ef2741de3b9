import type { Version } from './postgres-server.js'
import { registerOf } from './registers.js'
import type { Simulation } from './simulation.js'

/** What the engine guarantees, in milliseconds. See docs/consistency.md. */
export interface Guarantees {
  /** How stale a read may be without faults: time from the commit that it does not show to the start of the read */
  boundMs: number
  /** The same during a fault and for `afterFaultMs` after it */
  faultBoundMs: number
  afterFaultMs: number
  /** How long after the removal in the far store the near store may still return the old value */
  nearBoundMs: number
  /** How long a mutation waits for stores to which no process delivers */
  waitMs: number
}

export type ViolationKind =
  | 'never committed'
  | 'older than the bound'
  | 'near store older than its bound'
  | 'own write not seen'
  | 'answered write not seen'
  | 'read failed'
  | 'never answered'
  | 'wrong in the quiet period'
  | 'subscriber left with an old value'
  | 'outbox not delivered'
  | 'cache not used in the quiet period'
  | 'counters'
  | 'invalidated more than once'
  | 'unhandled error'

export interface Violation {
  kind: ViolationKind
  at: number
  /** null: the violation does not concern a single key */
  key: string | null
  text: string
}

type Finding = Pick<Violation, 'kind' | 'text'>

export interface Interval {
  from: number
  to: number
}

/** The times at which something was broken */
export interface FaultPeriods {
  faults: readonly Interval[]
  /**
   * By process number: when no process could deliver to the store of this one. A mutation waits for it for a limited time only.
   */
  undelivered: readonly (readonly Interval[])[]
  /**
   * By process number: when it was cut off from Postgres and no other process delivered to its store. Does not count as
   * staleness.
   */
  excused: readonly (readonly Interval[])[]
}

export interface PendingRead {
  process: string
  key: string
  at: number
}

interface CommittedVersion {
  version: Version
  committedAt: number
  /** When a mutation that wrote the version was answered */
  answeredAt: number
  answeredBy: string
  /** By server: when the cached entry was removed there after this commit */
  removedAt: Map<string, number>
}

/** Checks every read against the history of commits and answers. Shares no code with the engine. */
export class Judge {
  readonly violations: Violation[] = []
  reads = 0
  /** The time from which no read may be stale */
  quietFrom = Number.POSITIVE_INFINITY
  private readonly histories = new Map<string, CommittedVersion[]>()
  private readonly pendingReads = new Set<PendingRead>()
  private readonly lastDelivered = new Map<string, Map<string, Version | null | undefined>>()

  constructor(
    private readonly simulation: Simulation,
    private readonly guarantees: Guarantees,
    private readonly faultPeriods: FaultPeriods,
    /** The server to which the address of Redis leads this process, and since when */
    private readonly serverOf: (process: string) => { name: string; since: number } | null,
    private readonly numberOf: (process: string) => number,
  ) {}

  committed(versions: ReadonlyMap<string, Version>): void {
    for (const [register, version] of versions) {
      const state = { version, committedAt: this.simulation.now, answeredAt: Number.POSITIVE_INFINITY, answeredBy: '' }
      const history = this.historyOf(register)
      history.push({ ...state, removedAt: new Map() })
    }
  }

  answered(process: string, versions: ReadonlyMap<string, Version>): void {
    for (const [register, version] of versions) {
      const state = this.historyOf(register).find((committed) => committed.version === version)
      if (state) Object.assign(state, { answeredAt: this.simulation.now, answeredBy: process })
    }
  }

  /** The entry was removed from this server: older versions than the current one are gone from it. */
  removed(server: string, register: string): void {
    const history = this.historyOf(register)
    for (let index = history.length - 1; index >= 0; index -= 1) {
      const { removedAt } = history[index] as CommittedVersion
      if (removedAt.has(server)) break
      removedAt.set(server, this.simulation.now)
    }
  }

  beginRead(process: string, key: string): PendingRead {
    const read = { process, key, at: this.simulation.now }
    this.pendingReads.add(read)
    return read
  }

  failRead(read: PendingRead, error: unknown): void {
    this.pendingReads.delete(read)
    this.simulation.record(read.process, () => `could not read ${read.key}: ${String(error)}`)
    if (this.faultPeriods.faults.length === 0 || !isOutage(error))
      this.report('read failed', read.key, `${read.process}: ${String(error)}`)
  }

  endRead(read: PendingRead, version: Version | null, from: 'near' | 'far'): void {
    this.pendingReads.delete(read)
    this.reads += 1
    this.simulation.addToHash(version ?? -1)
    const { process, key, at } = read
    this.simulation.record(process, () => `read ${key} = ${version} (${from}), asked at ${at.toFixed(1)}`)
    const found = this.judge(read, version, from)
    if (found) this.report(found.kind, key, found.text)
  }

  subscribed(process: string, keys: readonly string[]): void {
    this.lastDelivered.set(process, new Map(keys.map((key) => [key, undefined])))
  }

  delivered(process: string, key: string, version: Version | null): void {
    this.simulation.record(process, () => `got an event for ${key} with version ${version}`)
    this.lastDelivered.get(process)?.set(key, version)
  }

  /** Drops the subscriptions and pending reads of a process. */
  processEnded(process: string): void {
    this.lastDelivered.delete(process)
    for (const read of [...this.pendingReads]) if (read.process === process) this.pendingReads.delete(read)
  }

  /** Called in the quiet period, when everything has had time to settle */
  checkEnd(): void {
    this.checkAnswers()
    for (const [process, delivered] of this.lastDelivered) {
      for (const [key, version] of delivered) {
        const newest = this.historyOf(registerOf(key)).at(-1)?.version ?? -1
        if (version !== (newest < 0 ? null : newest))
          this.report(
            'subscriber left with an old value',
            key,
            `${process} last received version ${version}, but the current version is ${newest}`,
          )
      }
    }
  }

  checkAnswers(): void {
    for (const { process, key, at } of this.pendingReads)
      this.report('never answered', key, `${process} read ${key} at ${at.toFixed(1)} and got no answer`)
    this.pendingReads.clear()
  }

  report(kind: ViolationKind, key: string | null, text: string): void {
    this.simulation.record('judge', () => `${kind}: ${text}`)
    this.violations.push({ kind, at: this.simulation.now, key, text })
  }

  private judge(read: PendingRead, version: Version | null, from: 'near' | 'far'): Finding | undefined {
    const { process, key, at } = read
    const history = this.historyOf(registerOf(key))
    // Absence does not show which deletion was seen: assume the newest.
    const index = history.findLastIndex((state) => (version === null ? state.version < 0 : state.version === version))
    if (index < 0) return { kind: 'never committed', text: `${process} read ${version} of ${key}, which was never committed` }
    const next = history[index + 1]
    if (!next) return undefined
    const context = `${process} read ${key} at ${at.toFixed(1)} and got ${version} from ${from}; ${next.version} had been`
    if (at >= this.quietFrom)
      return { kind: 'wrong in the quiet period', text: `${context} committed at ${next.committedAt.toFixed(1)}` }
    return (
      this.judgeAnswered(read, history.slice(index + 1), context) ??
      this.judgeAge(read, next, context) ??
      (from === 'near' ? this.judgeNear(read, next, context) : undefined)
    )
  }

  private judgeAnswered({ process, at }: PendingRead, later: readonly CommittedVersion[], context: string): Finding | undefined {
    const own = later.find(({ answeredBy, answeredAt }) => answeredBy === process && answeredAt <= at)
    if (own)
      return { kind: 'own write not seen', text: `${context} answered by the same process at ${own.answeredAt.toFixed(1)}` }
    const answered = later.find((state) => state.answeredAt <= at && !this.isExcused(process, state))
    if (!answered) return undefined
    const text = `${context} answered by ${answered.answeredBy} at ${answered.answeredAt.toFixed(1)}`
    return { kind: 'answered write not seen', text }
  }

  private judgeAge({ process, at }: PendingRead, { committedAt }: CommittedVersion, context: string): Finding | undefined {
    const ageMs = at - committedAt - this.excusedMs(process, committedAt, at)
    const boundMs = this.boundMs(committedAt, at)
    if (ageMs <= boundMs) return undefined
    return {
      kind: 'older than the bound',
      text: `${context} committed ${ageMs.toFixed(0)} ms before; the bound is ${boundMs} ms`,
    }
  }

  private judgeNear({ process, at }: PendingRead, { removedAt }: CommittedVersion, context: string): Finding | undefined {
    const server = this.serverOf(process)
    const since = server ? removedAt.get(server.name) : undefined
    // If the removal came before the address led to this server, it does not count.
    if (!server || since === undefined || since < server.since) return undefined
    if (at - since <= this.guarantees.nearBoundMs) return undefined
    return { kind: 'near store older than its bound', text: `${context} removed from ${server.name} at ${since.toFixed(1)}` }
  }

  private boundMs(from: number, to: number): number {
    const { afterFaultMs, boundMs, faultBoundMs } = this.guarantees
    return this.faultPeriods.faults.some((fault) => fault.from <= to && from <= fault.to + afterFaultMs) ? faultBoundMs : boundMs
  }

  /** Whether the mutation may have been answered although no process delivered it to the store of this process */
  private isExcused(process: string, { committedAt, answeredAt }: CommittedVersion): boolean {
    const { undelivered, excused } = this.faultPeriods
    const number = this.numberOf(process)
    const during = ({ from, to }: Interval) => from <= answeredAt && committedAt <= to
    const hasWaited = answeredAt - committedAt >= this.guarantees.waitMs
    return (excused[number] ?? []).some(during) || (hasWaited && (undelivered[number] ?? []).some(during))
  }

  private excusedMs(process: string, from: number, to: number): number {
    let excused = 0
    for (const interval of this.faultPeriods.excused[this.numberOf(process)] ?? [])
      excused += Math.max(0, Math.min(to, interval.to) - Math.max(from, interval.from))
    return excused
  }

  private historyOf(register: string): CommittedVersion[] {
    const history = this.histories.get(register) ?? []
    this.histories.set(register, history)
    return history
  }
}

const outageCodes = ['CONNECTION_CLOSED', 'ECONNREFUSED', 'CONNECT_TIMEOUT', '57014']

export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    ['OverloadedError', 'FetchTimeoutError'].includes(error.name) ||
    outageCodes.includes(String((error as { code?: string }).code))
  )
}
