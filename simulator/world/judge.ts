import type { Version } from './postgres-server.js'
import { registerOf } from './registers.js'
import type { Simulation } from './simulation.js'

/** What the engine promises, in milliseconds. See docs/consistency.md. */
export interface Promises {
  /** How old an answer may be while nothing is broken, from the commit of what it does not show to the beginning of the read */
  boundMs: number
  /** The same while something is broken, and for `afterFaultMs` */
  faultBoundMs: number
  afterFaultMs: number
  /** How much of it the near store may add, from the removal in the store */
  nearBoundMs: number
  /** So long a mutation waits for stores that nobody delivers to. */
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
  | 'wrong in the quiet'
  | 'subscriber left with an old value'
  | 'outbox not delivered'
  | 'cache not used in the quiet'
  | 'counters'
  | 'invalidated more than once'
  | 'error nobody handled'

export interface Violation {
  kind: ViolationKind
  at: number
  /** null: it concerns none in particular */
  key: string | null
  text: string
}

type Found = Pick<Violation, 'kind' | 'text'>

export interface Interval {
  from: number
  to: number
}

/** When something was broken */
export interface Troubles {
  faults: readonly Interval[]
  /** By number of process: when nobody could deliver anything to the store that it uses. A mutation waits for that only so long. */
  undelivered: readonly (readonly Interval[])[]
  /** By number of process: when it was cut off from Postgres, and nobody else delivered to its store. That time does not count. */
  excused: readonly (readonly Interval[])[]
}

export interface Reading {
  process: string
  key: string
  at: number
}

interface State {
  version: Version
  committedAt: number
  answeredAt: number
  answeredBy: string
  /** By server: when it was removed there, after this commit */
  removedAt: Map<string, number>
}

/** Checks everything that was read against the history of what was committed and answered. It shares no code with the engine. */
export class Judge {
  readonly violations: Violation[] = []
  readings = 0
  /** From when on nothing may be old */
  quietFrom = Number.POSITIVE_INFINITY
  private readonly histories = new Map<string, State[]>()
  private readonly underWay = new Set<Reading>()
  private readonly toldLast = new Map<string, Map<string, Version | null | undefined>>()

  constructor(
    private readonly simulation: Simulation,
    private readonly promises: Promises,
    private readonly troubles: Troubles,
    /** The server that an address leads this process to, and since when */
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
      const state = this.historyOf(register).find((its) => its.version === version)
      if (state) Object.assign(state, { answeredAt: this.simulation.now, answeredBy: process })
    }
  }

  /** What had been committed until now has been removed from this server. */
  removed(server: string, register: string): void {
    const history = this.historyOf(register)
    for (let index = history.length - 1; index >= 0; index -= 1) {
      const { removedAt } = history[index] as State
      if (removedAt.has(server)) break
      removedAt.set(server, this.simulation.now)
    }
  }

  beganReading(process: string, key: string): Reading {
    const reading = { process, key, at: this.simulation.now }
    this.underWay.add(reading)
    return reading
  }

  failedReading(reading: Reading, error: unknown): void {
    this.underWay.delete(reading)
    this.simulation.tell(reading.process, () => `could not read ${reading.key}: ${String(error)}`)
    if (this.troubles.faults.length === 0 || !isOutage(error))
      this.report('read failed', reading.key, `${reading.process}: ${String(error)}`)
  }

  endedReading(reading: Reading, version: Version | null, from: 'near' | 'far'): void {
    this.underWay.delete(reading)
    this.readings += 1
    this.simulation.mix(version ?? -1)
    const { process, key, at } = reading
    this.simulation.tell(process, () => `read ${key} = ${version} (${from}), asked at ${at.toFixed(1)}`)
    const found = this.judge(reading, version, from)
    if (found) this.report(found.kind, key, found.text)
  }

  subscribed(process: string, keys: readonly string[]): void {
    this.toldLast.set(process, new Map(keys.map((key) => [key, undefined])))
  }

  told(process: string, key: string, version: Version | null): void {
    this.simulation.tell(process, () => `was told of ${key} and read ${version}`)
    this.toldLast.get(process)?.set(key, version)
  }

  /** Subscriptions of a process that ended */
  forget(process: string): void {
    this.toldLast.delete(process)
    for (const reading of [...this.underWay]) if (reading.process === process) this.underWay.delete(reading)
  }

  /** To be called in the quiet, when everything has had its time */
  checkEnd(): void {
    this.checkAnswers()
    for (const [process, told] of this.toldLast) {
      for (const [key, version] of told) {
        const newest = this.historyOf(registerOf(key)).at(-1)?.version ?? -1
        if (version !== (newest < 0 ? null : newest))
          this.report('subscriber left with an old value', key, `${process} was last shown ${version}, and ${newest} is there`)
      }
    }
  }

  checkAnswers(): void {
    for (const { process, key, at } of this.underWay)
      this.report('never answered', key, `${process} asked for ${key} at ${at.toFixed(1)}, and has no answer`)
    this.underWay.clear()
  }

  report(kind: ViolationKind, key: string | null, text: string): void {
    this.simulation.tell('judge', () => `${kind}: ${text}`)
    this.violations.push({ kind, at: this.simulation.now, key, text })
  }

  private judge(reading: Reading, version: Version | null, from: 'near' | 'far'): Found | undefined {
    const { process, key, at } = reading
    const history = this.historyOf(registerOf(key))
    // Where there is no row, it is not known which of those that deleted it is shown.
    const index = history.findLastIndex((state) => (version === null ? state.version < 0 : state.version === version))
    if (index < 0) return { kind: 'never committed', text: `${process} read ${version} of ${key}, which was never committed` }
    const next = history[index + 1]
    if (!next) return undefined
    const told = `${process} asked for ${key} at ${at.toFixed(1)} and got ${version} from ${from}; ${next.version} had been`
    if (at >= this.quietFrom) return { kind: 'wrong in the quiet', text: `${told} committed at ${next.committedAt.toFixed(1)}` }
    return (
      this.judgeAnswered(reading, history.slice(index + 1), told) ??
      this.judgeAge(reading, next, told) ??
      (from === 'near' ? this.judgeNear(reading, next, told) : undefined)
    )
  }

  private judgeAnswered({ process, at }: Reading, later: readonly State[], told: string): Found | undefined {
    const own = later.find(({ answeredBy, answeredAt }) => answeredBy === process && answeredAt <= at)
    if (own) return { kind: 'own write not seen', text: `${told} answered by the same process at ${own.answeredAt.toFixed(1)}` }
    const answered = later.find((state) => state.answeredAt <= at && !this.isExcused(process, state))
    if (!answered) return undefined
    const text = `${told} answered by ${answered.answeredBy} at ${answered.answeredAt.toFixed(1)}`
    return { kind: 'answered write not seen', text }
  }

  private judgeAge({ process, at }: Reading, { committedAt }: State, told: string): Found | undefined {
    const ageMs = at - committedAt - this.excusedMs(process, committedAt, at)
    const boundMs = this.boundMs(committedAt, at)
    if (ageMs <= boundMs) return undefined
    return { kind: 'older than the bound', text: `${told} committed ${ageMs.toFixed(0)} ms before; the bound is ${boundMs} ms` }
  }

  private judgeNear({ process, at }: Reading, { removedAt }: State, told: string): Found | undefined {
    const server = this.serverOf(process)
    const since = server ? removedAt.get(server.name) : undefined
    // Before, the address led elsewhere.
    if (!server || since === undefined || since < server.since) return undefined
    if (at - since <= this.promises.nearBoundMs) return undefined
    return { kind: 'near store older than its bound', text: `${told} removed from ${server.name} at ${since.toFixed(1)}` }
  }

  private boundMs(from: number, to: number): number {
    const { afterFaultMs, boundMs, faultBoundMs } = this.promises
    return this.troubles.faults.some((fault) => fault.from <= to && from <= fault.to + afterFaultMs) ? faultBoundMs : boundMs
  }

  /** Whether it was answered though nobody delivered it to the store of this process. */
  private isExcused(process: string, { committedAt, answeredAt }: State): boolean {
    const { undelivered, excused } = this.troubles
    const number = this.numberOf(process)
    const during = ({ from, to }: Interval) => from <= answeredAt && committedAt <= to
    const hasWaited = answeredAt - committedAt >= this.promises.waitMs
    return (excused[number] ?? []).some(during) || (hasWaited && (undelivered[number] ?? []).some(during))
  }

  private excusedMs(process: string, from: number, to: number): number {
    let excused = 0
    for (const interval of this.troubles.excused[this.numberOf(process)] ?? [])
      excused += Math.max(0, Math.min(to, interval.to) - Math.max(from, interval.from))
    return excused
  }

  private historyOf(register: string): State[] {
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
