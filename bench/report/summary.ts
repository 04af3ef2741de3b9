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
  /** Ratio of the requests per second to the limit in the same round; null if the limit was not measured */
  toLimit: Spread | null
  toMercurius: Spread | null
  /** Ratio of the limit's CPU time per request to that of this server: the ratio if the core were the only bottleneck */
  toLimitByCpu: Spread | null
}

/** One summary per server, with medians over the rounds */
export function summarize({ runs }: Comparison, query: QueryName): Summary[] {
  const queryRuns = runs.filter((run) => run.query === query)
  const servers = [...new Set(queryRuns.map(({ server }) => server))]
  return servers.map((server) => {
    const rounds = queryRuns.filter((run) => run.server === server)
    const median = (value: (run: Run) => number | null) => spread(rounds.map(value))?.median ?? null
    return {
      server,
      requestsPerSecond: spread(rounds.map((run) => run.requestsPerSecond)) as Spread,
      p50Us: median((run) => run.p50Us) as number,
      p99Us: median((run) => run.p99Us) as number,
      cpuUsPerRequest: median((run) => run.cpuUsPerRequest),
      cpuShare: median((run) => run.cpuShare),
      rssBytes: median((run) => run.rssBytes),
      toLimit: spread(rounds.map((run) => ratio(run, queryRuns, 'limit'))),
      toMercurius: spread(rounds.map((run) => ratio(run, queryRuns, 'mercurius'))),
      toLimitByCpu: spread(rounds.map((run) => cpuRatio(run, queryRuns, 'limit'))),
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
