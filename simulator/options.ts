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
  /** Whether to check afterwards that every mutant is found */
  mutants: boolean
  replay: number | undefined
  smallWorld: boolean
  help: boolean
}

export const usage = `Usage: npm run simulate -- [options]

  --seed N            seed of the first schedule; each further schedule uses the next seed (default 1)
  --schedules M       number of schedules to run (default 500; 0 for none)
  --profile NAME      run only schedules of this profile; may be given more than once. Profiles:
                      ${profileNames.join(', ')}
  --mutant NAME       switch off one guard of the engine
  --mutants           afterwards, switch off each guard in turn (or only --mutant) and check that a schedule fails without it
  --small-world       instead of seeds, run every fault at every moment with 2 processes, 1 key and 2 writes
  --replay SEED       run one schedule again, reduce it as far as it still fails, and print what happened to the key
  --help              print this text

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

function oneOf<T>(option: string, name: string, items: readonly T[], nameOf: (item: T) => string): T {
  const found = items.find((item) => nameOf(item) === name)
  if (found === undefined) throw new Error(`--${option} takes one of ${items.map(nameOf).join(', ')}, not "${name}".`)
  return found
}

const maxSeed = 2 ** 31
