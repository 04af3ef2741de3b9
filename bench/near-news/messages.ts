import { once } from 'node:events'
import type { Variant } from './variants.js'

/** What a watching process gets to know in its argument */
export interface Task {
  url: string
  variant: Variant
  index: number
  seed: number
  softTtlMs: number
  probes: number
}

/** What it is told, in this order */
export type Order = 'run' | 'measure' | 'stop'

/** What it answers at the end, of the time between `measure` and `stop` unless said otherwise */
export interface WatcherReport {
  cpuMs: number
  operations: number
  removals: number
  messages: number
  keysTold: number
  emptied: number
  lookups: { hits: number; misses: number; nearHits: number }
  /** [probe, at], on the shared clock, of the whole time */
  probesRemoved: [string, number][]
  probesHeard: [string, number][]
}

export async function ordered(order: Order): Promise<void> {
  for (;;) {
    const [received] = await once(process, 'message')
    if (received === order) return
  }
}
