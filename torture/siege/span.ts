import { Tally } from '../tally.js'

/** What honest clients and the operator saw while the enemy did one thing */
export interface Span {
  /** What the enemy did; null before it came and after it went */
  attack: string | null
  /** Of requests of honest clients, failed ones included, in milliseconds */
  answeredMs: number[]
  subscriptions: number
  /** By cause, of requests and subscriptions */
  failures: Tally
  /** How long each question took whether the process lives, in milliseconds; infinite where there was no answer in time */
  probesMs: number[]
  /** Of the process, in megabytes */
  residentMb: number[]
  redisMb: number[]
  /** Lines that the process logged, and in what time */
  logLines: number
  seconds: number
}

export function newSpan(attack: string | null): Span {
  return {
    ...{ attack, answeredMs: [], subscriptions: 0, failures: new Tally(), probesMs: [] },
    ...{ residentMb: [], redisMb: [], logLines: 0, seconds: 0 },
  }
}
