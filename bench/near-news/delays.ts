import type { WatcherReport } from './messages.js'

/** For every probe removed since then and every other process: how long until that heard of it, in ms; null for never. */
export function probeDelays(reports: readonly WatcherReport[], since: number): (number | null)[] {
  const heardBy = reports.map(({ probesHeard }) => new Map(probesHeard))
  return reports.flatMap(({ probesRemoved }, remover) => {
    const others = heardBy.filter((_, listener) => listener !== remover)
    const removed = probesRemoved.filter(([, at]) => at >= since)
    return removed.flatMap(([id, at]) => others.map((heard) => delay(heard.get(id), at)))
  })
}

function delay(heardAt: number | undefined, at: number): number | null {
  return heardAt === undefined ? null : heardAt - at
}
