import { parseArgs } from 'node:util'

export interface Options {
  seconds: number
  seed: number
  /** none: the same shop with a plain cache-aside, whose errors must be detected */
  protection: 'full' | 'none'
  processes: number
  /** memory: the processes run without Redis, each with a memory cache */
  store: 'redis' | 'memory'
  help: boolean
}

export const usage = `Usage: npm run torture -- [--seconds 60] [--seed N] [--protection full|none] [--processes 2] [--store redis|memory]
Runs random readers, writers and faults against several API processes, then compares every cached value with the database.
--protection none: without the guards of the cache; passes if stale values are detected. --store memory: without Redis.`

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[], randomSeed: number): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      ...{ seconds: text, seed: text, protection: text, processes: text, store: text },
      help: { type: 'boolean', default: false },
    },
  })
  const { protection = 'full', store = 'redis', help } = values
  if (protection !== 'full' && protection !== 'none') throw new Error(`--protection takes full or none, not "${protection}".`)
  if (store !== 'redis' && store !== 'memory') throw new Error(`--store takes redis or memory, not "${store}".`)
  return {
    seconds: wholeNumber('seconds', values.seconds ?? '60', 5, 86_400),
    seed: wholeNumber('seed', values.seed ?? String(randomSeed), 0, 2 ** 32 - 1),
    protection,
    processes: wholeNumber('processes', values.processes ?? '2', 1, 8),
    store,
    help,
  }
}

/** Throws an Error that names the option. */
export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^\d{1,10}$/.test(text) && number >= min && number <= max) return number
  throw new Error(`--${option} takes a whole number from ${min} to ${max}, not "${text}".`)
}
