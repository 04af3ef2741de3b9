import { Tally } from '../tally.js'

/** What honest clients and the operator noticed during one group of attacks */
export interface Period {
  /** The names of the attacks; null before and after the siege */
  attack: string | null
  /** Latencies of the requests of honest clients, including failed ones, in milliseconds */
  answeredMs: number[]
  subscriptions: number
  /** Failed requests and subscriptions by cause */
  failures: Tally
  /** Latency of each liveness probe in milliseconds; infinite without an answer in time */
  probesMs: number[]
  /** Resident memory of the process in megabytes */
  residentMb: number[]
  redisMb: number[]
  /** Lines that the process logged in `seconds` */
  logLines: number
  seconds: number
}

export function newPeriod(attack: string | null): Period {
  return {
    ...{ attack, answeredMs: [], subscriptions: 0, failures: new Tally(), probesMs: [] },
    ...{ residentMb: [], redisMb: [], logLines: 0, seconds: 0 },
  }
}
