import { parseArgs } from 'node:util'
import { wholeNumber } from '../options.js'

export interface Options {
  requests: number
  seed: number
  /** The number of the one request that is sent; null for all */
  only: number | null
}

export const usage = 'Usage: npm run fuzz -- --requests 20000 [--seed N] [--only NUMBER]'

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[], randomSeed: number): Options {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { requests: text, seed: text, only: text } })
  return {
    requests: wholeNumber('requests', values.requests ?? '20000', 1, 10_000_000),
    seed: wholeNumber('seed', values.seed ?? String(randomSeed), 0, 2 ** 32 - 1),
    only: values.only === undefined ? null : wholeNumber('only', values.only, 0, 10_000_000),
  }
}
