import { parseArgs } from 'node:util'
import { wholeNumber } from '../torture/options.js'
import type { Mutant } from './mutants.js'
import { mutants } from './mutants.js'
import { type ProfileName, profileNames } from './world/profiles.js'

export interface Options {
  seed: number
  schedules: number
  profiles: readonly ProfileName[]
  mutant: Mutant | undefined
  /** Whether to see that every mutant is found */
  mutants: boolean
  replay: number | undefined
  smallWorld: boolean
  help: boolean
}

export const usage = `Usage: npm run simulate -- [options]

  --seed N            first seed; every schedule has one, counted up from there (default 1)
  --schedules M       how many to run (default 500; 0 for none)
  --profile NAME      only schedules of this kind, or these where it is given more than once:
                      ${profileNames.join(', ')}
  --mutant NAME       with one guard of the engine switched off
  --mutants           afterwards, switch every guard off in turn (or the one named), and see that each is found
  --small-world       every moment for every fault in a world of 2 processes, 1 key and 2 writes, in place of seeds
  --replay SEED       one schedule again: what happened to the key, and with how few faults it still happens
  --help

Guards: ${mutants.map(({ name }) => name).join(', ')}`

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[]): Options {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({
    args,
    options: {
      ...{ seed: text, schedules: text, profile: { ...text, multiple: true }, mutant: text, replay: text },
      ...{ mutants: flag, 'small-world': flag, help: flag },
    },
  })
  return {
    seed: wholeNumber('seed', values.seed ?? '1', 0, maxSeed),
    schedules: wholeNumber('schedules', values.schedules ?? '500', 0, 10_000_000),
    profiles: values.profile?.map((profile) => oneOf('profile', profile, profileNames, (name) => name)) ?? profileNames,
    mutant: values.mutant === undefined ? undefined : oneOf('mutant', values.mutant, mutants, ({ name }) => name),
    mutants: values.mutants,
    replay: values.replay === undefined ? undefined : wholeNumber('replay', values.replay, 0, maxSeed),
    smallWorld: values['small-world'],
    help: values.help,
  }
}

function oneOf<T>(option: string, wanted: string, items: readonly T[], nameOf: (item: T) => string): T {
  const found = items.find((item) => nameOf(item) === wanted)
  if (found === undefined) throw new Error(`--${option} takes one of ${items.map(nameOf).join(', ')}, not "${wanted}".`)
  return found
}

const maxSeed = 2 ** 31
