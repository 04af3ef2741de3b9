import { quantile } from '../report/statistics.js'
import { probeDelays } from './delays.js'
import { load } from './load.js'
import type { WatcherReport } from './messages.js'
import type { ServerUsage } from './server-usage.js'

/** Of one variant in one round; each per second of the measured time unless its name says otherwise */
export interface Figures {
  messagesPerRemoval: number
  keysToldPerRemoval: number
  watcherCpuMs: number
  redisCpuMs: number
  commands: number
  sentKb: number
  redisMemoryMb: number
  heardP50Ms: number | null
  heardP99Ms: number | null
  unheard: number
  emptiedPerMinute: number
  nearHitPercent: number
  missPercent: number
  operations: number
}

export interface Frame {
  before: ServerUsage
  after: ServerUsage
  startedAt: number
  seconds: number
}

export function summarize(reports: readonly WatcherReport[], { before, after, startedAt, seconds }: Frame): Figures {
  const total = (read: (report: WatcherReport) => number) => reports.reduce((sum, report) => sum + read(report), 0)
  const perWatcher = (read: (report: WatcherReport) => number) => total(read) / load.processes
  const removals = total((report) => report.removals)
  const lookups = total((report) => report.lookups.hits + report.lookups.misses)
  return {
    messagesPerRemoval: perWatcher(({ messages }) => messages) / removals,
    keysToldPerRemoval: perWatcher(({ keysTold }) => keysTold) / removals,
    watcherCpuMs: perWatcher(({ cpuMs }) => cpuMs) / seconds,
    redisCpuMs: (after.cpuMs - before.cpuMs) / seconds,
    commands: (after.commands - before.commands) / seconds,
    sentKb: (after.sentBytes - before.sentBytes) / 1000 / seconds,
    redisMemoryMb: after.memoryBytes / 1e6,
    ...heard(probeDelays(reports, startedAt)),
    emptiedPerMinute: (60 * perWatcher(({ emptied }) => emptied)) / seconds,
    nearHitPercent: (100 * total((report) => report.lookups.nearHits)) / lookups,
    missPercent: (100 * total((report) => report.lookups.misses)) / lookups,
    operations: total(({ operations }) => operations) / seconds,
  }
}

function heard(delays: readonly (number | null)[]): Pick<Figures, 'heardP50Ms' | 'heardP99Ms' | 'unheard'> {
  const sorted = delays.filter((delay) => delay !== null).sort((a, b) => a - b)
  const at = (share: number) => (sorted.length === 0 ? null : quantile(sorted, share))
  return { heardP50Ms: at(0.5), heardP99Ms: at(0.99), unheard: delays.length - sorted.length }
}
