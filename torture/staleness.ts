import { boundFor } from './bounds.js'
import type { FaultWindows } from './fault-windows.js'
import type { Ledger } from './ledger.js'
import type { Observation } from './observations.js'

export interface StaleSummary {
  reads: number
  olderWithinBound: number
  olderOutsideBound: number
  /** Older than a mutation that was answered before the read started, although every process had to show it */
  olderThanMutation: number
  /** The same during a fault or stall, if the mutation had reached its maximum wait for processes that did not confirm */
  olderThanSlowMutation: number
  greatestAgeMs: number
  greatestAgeInFaultMs: number
}

/** Compares what readers saw with the ledger. */
export class Staleness {
  readonly summary: StaleSummary = {
    ...{ reads: 0, olderWithinBound: 0, olderOutsideBound: 0, olderThanMutation: 0, olderThanSlowMutation: 0 },
    ...{ greatestAgeMs: 0, greatestAgeInFaultMs: 0 },
  }

  constructor(
    private readonly ledger: Ledger,
    private readonly faults: FaultWindows,
    private readonly print: (line: string) => void,
  ) {}

  judge(observations: readonly Observation[], from: number, to: number, where: string): void {
    const [faults, stalls] = [this.faults.faultsDuring(from, to), this.faults.stallsDuring(from, to)]
    for (const { cell, seen } of observations.filter((observation) => this.ledger.has(observation.cell))) {
      this.summary.reads += 1
      const ageMs = this.ledger.age(cell, seen, from)
      if (ageMs === null) continue
      const what = `${where} ${cell} ${seen} ${describeFaults([...faults, ...stalls])}`
      this.record(ageMs, faults.length + stalls.length > 0, what)
      const promptMs = this.ledger.age(cell, seen, from, 'prompt mutation')
      const slowMs = this.ledger.age(cell, seen, from, 'slow mutation')
      if (promptMs !== null) this.recordMutation(promptMs, `${what}, answered promptly`)
      else if (slowMs !== null && faults.length + stalls.length === 0)
        this.recordMutation(slowMs, `${what}, answered after it had waited`)
      else if (slowMs !== null) this.summary.olderThanSlowMutation += 1
    }
  }

  private record(ageMs: number, isFaulty: boolean, what: string): void {
    const { summary } = this
    if (isFaulty) summary.greatestAgeInFaultMs = Math.max(summary.greatestAgeInFaultMs, ageMs)
    else summary.greatestAgeMs = Math.max(summary.greatestAgeMs, ageMs)
    if (ageMs <= boundFor(isFaulty)) {
      summary.olderWithinBound += 1
      return
    }
    summary.olderOutsideBound += 1
    if (summary.olderOutsideBound <= maxPrinted) this.print(`OLDER by ${Math.round(ageMs)} ms, outside the bound: ${what}`)
  }

  private recordMutation(ageMs: number, what: string): void {
    this.summary.olderThanMutation += 1
    if (this.summary.olderThanMutation <= maxPrinted)
      this.print(`OLDER by ${Math.round(ageMs)} ms than an answered mutation: ${what}`)
  }
}

const maxPrinted = 20

function describeFaults(faults: readonly string[]): string {
  return faults.length > 0 ? `around ${[...new Set(faults)].join(', ')}` : 'in normal operation'
}
