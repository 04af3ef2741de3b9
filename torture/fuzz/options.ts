import { parseArgs } from 'node:util'
import { wholeNumber } from '../options.js'

export interface Options {
  requests: number
  seed: number
  /** Number of the only request to send; null: all */
  only: number | null
  help: boolean
}

export const usage = `Usage: npm run fuzz -- [--requests 20000] [--seed N] [--only NUMBER]
Sends random requests to a process and checks every answer. --only: send only the request with this number.`

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[], randomSeed: number): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: { requests: text, seed: text, only: text, help: { type: 'boolean', default: false } },
  })
  return {
    requests: wholeNumber('requests', values.requests ?? '20000', 1, 10_000_000),
    seed: wholeNumber('seed', values.seed ?? String(randomSeed), 0, 2 ** 32 - 1),
    only: values.only === undefined ? null : wholeNumber('only', values.only, 0, 10_000_000),
    help: values.help,
  }
}
