import type { WrittenBy } from '../harness/product-versions.js'
import type { MixedServerName } from '../harness/server-names.js'
import type { Mixed, MixedRun, MixedSetup } from './results.js'
import { type Spread, spread } from './statistics.js'

type MedianField =
  | 'p50Us'
  | 'p99Us'
  | 'p999Us'
  | 'mutationP50Us'
  | 'mutationP99Us'
  | 'selectsPerRead'
  | 'cpuUsPerRequest'
  | 'cpuShare'
  | 'rssBytes'

export interface MixedSummary {
  server: MixedServerName
  readsPerSecond: Spread
  /** Medians over the rounds */
  medians: Record<MedianField, number | null>
  /** Stale answers of all rounds, as a share of their reads, and the oldest one */
  stale: Record<WrittenBy, { perMillion: number; oldestMs: number }>
}

/** One summary per server */
export function summarizeMixed({ runs }: Mixed, setup: MixedSetup): MixedSummary[] {
  const ofSetup = runs.filter((run) => run.setup === setup)
  const servers = [...new Set(ofSetup.map(({ server }) => server))]
  return servers.map((server) => {
    const rounds = ofSetup.filter((run) => run.server === server)
    const median = (field: MedianField) => spread(rounds.map((run) => run[field]))?.median ?? null
    return {
      server,
      readsPerSecond: spread(rounds.map((run) => run.readsPerSecond)) as Spread,
      medians: {
        p50Us: median('p50Us'),
        p99Us: median('p99Us'),
        p999Us: median('p999Us'),
        mutationP50Us: median('mutationP50Us'),
        mutationP99Us: median('mutationP99Us'),
        selectsPerRead: median('selectsPerRead'),
        cpuUsPerRequest: median('cpuUsPerRequest'),
        cpuShare: median('cpuShare'),
        rssBytes: median('rssBytes'),
      },
      stale: { mutation: staleOf(rounds, 'mutation'), sql: staleOf(rounds, 'sql') },
    }
  })
}

function staleOf(rounds: readonly MixedRun[], missed: WrittenBy) {
  const reads = rounds.reduce((sum, run) => sum + run.reads, 0)
  const count = rounds.reduce((sum, { stale }) => sum + stale[missed].count, 0)
  return { perMillion: (1e6 * count) / reads, oldestMs: Math.max(...rounds.map(({ stale }) => stale[missed].oldestMs)) }
}

export function setupsOf({ runs }: Mixed): MixedSetup[] {
  return [...new Set(runs.map(({ setup }) => setup))]
}
