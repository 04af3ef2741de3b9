import { spread } from '../report/statistics.js'
import { table } from '../report/table.js'
import type { Figures } from './figures.js'
import { load } from './load.js'
import { type Variant, variantNames, variants } from './variants.js'

export type RoundFigures = ReadonlyMap<Variant, Figures>

/** What else runs on the machine is much the same within a round, so differences say more than sums. */
interface Row {
  title: string
  name: keyof Figures
  digits: number
  aboveBlind?: true
}

const rows: readonly Row[] = [
  { title: 'messages to each watcher, per removal', name: 'messagesPerRemoval', digits: 2 },
  { title: 'keys told to each watcher, per removal', name: 'keysToldPerRemoval', digits: 2 },
  { title: 'CPU of a watcher, ms/s (with its work)', name: 'watcherCpuMs', digits: 1 },
  { title: 'of that for the news: above blind in the same round', name: 'watcherCpuMs', digits: 1, aboveBlind: true },
  { title: 'CPU of Redis, ms/s', name: 'redisCpuMs', digits: 1 },
  { title: 'of that for the news: above blind in the same round', name: 'redisCpuMs', digits: 1, aboveBlind: true },
  { title: 'commands of Redis, /s', name: 'commands', digits: 0 },
  { title: 'sent by Redis, kB/s', name: 'sentKb', digits: 0 },
  { title: 'memory of Redis, MB', name: 'redisMemoryMb', digits: 1 },
  { title: 'removal to heard, p50 ms', name: 'heardP50Ms', digits: 2 },
  { title: 'removal to heard, p99 ms', name: 'heardP99Ms', digits: 2 },
  { title: 'removals never heard (of probes)', name: 'unheard', digits: 0 },
  { title: 'near store emptied, per minute', name: 'emptiedPerMinute', digits: 0 },
  { title: 'near hits, % of lookups', name: 'nearHitPercent', digits: 2 },
  { title: 'misses, % of lookups', name: 'missPercent', digits: 2 },
  { title: 'operations of all, /s', name: 'operations', digits: 0 },
]

export function report(rounds: readonly RoundFigures[], { seconds, softTtlMs }: { seconds: number; softTtlMs: number }): string {
  return [
    ...Object.entries(variants).map(([name, meaning]) => `${name}: ${meaning}`),
    '',
    `${load.processes} processes, ${load.items} items, soft TTL ${softTtlMs / 1000} s; ${rounds.length} rounds of ${seconds} s: median (least to most)`,
    '',
    table(
      ['', ...variantNames],
      rows.map((row) => [row.title, ...variantNames.map((variant) => cell(row, variant, rounds))]),
    ),
  ].join('\n')
}

function cell({ name, digits, aboveBlind }: Row, variant: Variant, rounds: readonly RoundFigures[]): string {
  const values = rounds.map((figures) => {
    const value = figures.get(variant)?.[name] ?? null
    return value !== null && aboveBlind ? value - (figures.get('blind')?.[name] ?? 0) : value
  })
  const its = spread(values)
  return its ? `${its.median.toFixed(digits)} (${its.least.toFixed(digits)} to ${its.most.toFixed(digits)})` : ''
}
