import { parseArgs } from 'node:util'
import { type QueryName, queryNames } from './harness/queries.js'
import { type MixedServerName, mixedServerNames, type ServerName, serverNames } from './harness/server-names.js'

const commandNames = ['compare', 'cold', 'invalidation', 'memory', 'start', 'writes', 'cost', 'lists', 'mixed'] as const
export type CommandName = (typeof commandNames)[number]

export interface Options {
  command: CommandName
  /** A smoke test: small and short, so that the numbers are meaningless */
  quick: boolean
  rounds: number
  seconds: number
  connections: number
  servers: readonly ServerName[]
  mixedServers: readonly MixedServerName[]
  queries: readonly QueryName[]
  /** Start every server with the V8 flags of the project's start script. */
  sameFlags: boolean
  /** Operations per second for each server; null for as many as it answers */
  rate: number | null
  /** Root of another built checkout, to be measured in turn with this one */
  against: string | undefined
  help: boolean
}

export const usage = `Usage: npm run bench -- [compare] [--rounds 3] [--seconds 5] [--connections 50] [--only limit,ours-near] [--queries Q1,Q2]
                                [--same-flags] [--quick]
       npm run bench -- mixed [--rounds 3] [--seconds 30] [--connections 50] [--only limit-del,ours-near] [--rate OPERATIONS PER SECOND]
                              [--quick]
       npm run bench -- cold|invalidation|lists|memory|start|cost [--quick]
       npm run bench -- writes [--against FOLDER, another checkout that was built] [--quick]`

const text = { type: 'string' } as const
const flag = { type: 'boolean', default: false } as const
const compareOptions = { rounds: text, seconds: text, connections: text, only: text, queries: text, 'same-flags': flag }
const ownOptions: Partial<Record<CommandName, readonly string[]>> = {
  compare: Object.keys(compareOptions),
  mixed: ['rounds', 'seconds', 'connections', 'only', 'rate'],
  writes: ['against'],
}

/** Throws an Error that says which option is wrong. */
export function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { ...compareOptions, rate: text, against: text, quick: flag, help: flag },
  })
  const [command = 'compare', ...others] = positionals
  if (!isOneOf(commandNames, command)) throw new Error(`There is no command "${command}", only ${commandNames.join(', ')}.`)
  if (others.length > 0) throw new Error(`One command at a time, not also "${others.join(' ')}".`)
  rejectMisplaced(command, values)
  const { quick } = values
  const seconds = command === 'mixed' ? '30' : '5'
  return {
    command,
    quick,
    rounds: wholeNumber('rounds', values.rounds ?? (quick ? '1' : '3'), 1, 100),
    seconds: wholeNumber('seconds', values.seconds ?? (quick ? '1' : seconds), 1, 600),
    connections: wholeNumber('connections', values.connections ?? '50', 1, 1_000),
    servers: someOf('only', serverNames, command === 'compare' ? values.only : undefined),
    mixedServers: someOf('only', mixedServerNames, command === 'mixed' ? values.only : undefined),
    queries: someOf('queries', queryNames, values.queries),
    sameFlags: values['same-flags'],
    rate: values.rate === undefined ? null : wholeNumber('rate', values.rate, 100, 1_000_000),
    against: values.against,
    help: values.help,
  }
}

/** Throws if an option belongs to other commands only. */
function rejectMisplaced(command: CommandName, values: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(values)) {
    const owners = commandNames.filter((owner) => ownOptions[owner]?.includes(name))
    if (values[name] && owners.length > 0 && !owners.includes(command))
      throw new Error(`--${name} is for ${owners.join(' and ')}, not for ${command}.`)
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
