import type { QueryName } from '../harness/queries.js'
import type { ServerName } from '../harness/server-names.js'
import type { Comparison, Run } from './results.js'
import { type Spread, spread } from './statistics.js'

export interface Summary {
  server: ServerName
  requestsPerSecond: Spread
  p50Us: number
  p99Us: number
  cpuUsPerRequest: number | null
  cpuShare: number | null
  rssBytes: number | null
  /** Of the requests per second in the same round; null where that server did not take part */
  toLimit: Spread | null
  toMercurius: Spread | null
  /** LIMIT's CPU for a request as a share of its own: what it would be if nothing but its core were in the way */
  toLimitByCpu: Spread | null
}

/** One for each server, medians over the rounds. */
export function summarize({ runs }: Comparison, query: QueryName): Summary[] {
  const its = runs.filter((run) => run.query === query)
  const servers = [...new Set(its.map(({ server }) => server))]
  return servers.map((server) => {
    const rounds = its.filter((run) => run.server === server)
    const median = (value: (run: Run) => number | null) => spread(rounds.map(value))?.median ?? null
    return {
      server,
      requestsPerSecond: spread(rounds.map((run) => run.requestsPerSecond)) as Spread,
      p50Us: median((run) => run.p50Us) as number,
      p99Us: median((run) => run.p99Us) as number,
      cpuUsPerRequest: median((run) => run.cpuUsPerRequest),
      cpuShare: median((run) => run.cpuShare),
      rssBytes: median((run) => run.rssBytes),
      toLimit: spread(rounds.map((run) => ratio(run, its, 'limit'))),
      toMercurius: spread(rounds.map((run) => ratio(run, its, 'mercurius'))),
      toLimitByCpu: spread(rounds.map((run) => cpuRatio(run, its, 'limit'))),
    }
  })
}

function ratio(run: Run, runs: readonly Run[], to: ServerName): number | null {
  const other = inSameRound(run, runs, to)
  return other ? run.requestsPerSecond / other.requestsPerSecond : null
}

function cpuRatio(run: Run, runs: readonly Run[], to: ServerName): number | null {
  const cpu = inSameRound(run, runs, to)?.cpuUsPerRequest
  return cpu && run.cpuUsPerRequest ? cpu / run.cpuUsPerRequest : null
}

function inSameRound({ round }: Run, runs: readonly Run[], server: ServerName): Run | undefined {
  return runs.find((run) => run.server === server && run.round === round)
}

export function queriesOf({ runs }: Comparison): QueryName[] {
  return [...new Set(runs.map(({ query }) => query))]
}
