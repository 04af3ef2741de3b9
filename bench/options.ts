import { parseArgs } from 'node:util'
import { type QueryName, queryNames } from './harness/queries.js'
import { type ServerName, serverNames } from './harness/server-names.js'

const commandNames = ['compare', 'cold', 'invalidation', 'memory', 'start', 'writes', 'cost', 'lists'] as const
export type CommandName = (typeof commandNames)[number]

export interface Options {
  command: CommandName
  /** A smoke test: small and short, so that the numbers are meaningless */
  quick: boolean
  rounds: number
  seconds: number
  connections: number
  servers: readonly ServerName[]
  queries: readonly QueryName[]
  /** Start every server with the V8 flags of the project's start script. */
  sameFlags: boolean
  /** Root of another built checkout, to be measured in turn with this one */
  against: string | undefined
  help: boolean
}

export const usage = `Usage: npm run bench -- [compare] [--rounds 3] [--seconds 5] [--connections 50] [--only limit,ours-near] [--queries Q1,Q2]
                                [--same-flags] [--quick]
       npm run bench -- cold|invalidation|lists|memory|start|cost [--quick]
       npm run bench -- writes [--against FOLDER, another checkout that was built] [--quick]`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const compareOptions = { rounds: text, seconds: text, connections: text, only: text, queries: text, 'same-flags': flag }

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...compareOptions, against: text, quick: flag, help: flag },
  })
  const [command = 'compare', ...others] = positionals
  if (!isOneOf(commandNames, command)) throw new Error(`There is no command "${command}", only ${commandNames.join(', ')}.`)
  if (others.length > 0) throw new Error(`One command at a time, not also "${others.join(' ')}".`)
  const misplaced = Object.keys(compareOptions).find((name) => command !== 'compare' && values[name as keyof typeof values])
  if (misplaced) throw new Error(`--${misplaced} is for compare, not for ${command}.`)
  if (values.against !== undefined && command !== 'writes') throw new Error(`--against is for writes, not for ${command}.`)
  const { quick } = values
  return {
    command,
    quick,
    rounds: wholeNumber('rounds', values.rounds ?? (quick ? '1' : '3'), 1, 100),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '1' : '5'), 1, 600),
    connections: wholeNumber('connections', values.connections ?? '50', 1, 1_000),
    servers: someOf('only', serverNames, values.only),
    queries: someOf('queries', queryNames, values.queries),
    sameFlags: values['same-flags'],
    against: values.against,
    help: values.help,
  }
}

function wholeNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text)
  if (/^\d{1,10}$/.test(text) && number >= min && number <= max) return number
  throw new Error(`--${option} takes a whole number from ${min} to ${max}, not "${text}".`)
}

/** The named ones in the order of `all`; all of them if `text` is undefined */
function someOf<Name extends string>(option: string, all: readonly Name[], text: string | undefined): readonly Name[] {
  if (text === undefined) return all
  const named = text.split(',')
  const unknown = named.find((name) => !isOneOf(all, name))
  if (unknown !== undefined) throw new Error(`--${option} takes some of ${all.join(',')}, not "${unknown}".`)
  return all.filter((name) => named.includes(name))
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return (names as readonly string[]).includes(name)
}
