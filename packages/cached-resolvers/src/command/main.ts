#!/usr/bin/env node
import { resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { CachedEntities } from '../postgres/start.js'
import { type TrackedEntities, trackingSql } from '../postgres/tracking.js'

const usage = `Usage: cached-resolvers <command> <module>

  check <module> [--entries 1000]  Compares a random sample of cached entries with the database, and invalidates entries that
                                   differ. <module> must export a function open() that returns the result of
                                   startCachedEntities().
  sql <module>                     Prints the SQL script that installs change tracking, for the migrations of an application.
                                   <module> must export entities.

If <module> is a TypeScript file, set NODE_OPTIONS="--import tsx" or use another loader.`

// The process exits even if the module keeps the event loop alive, for example with open database connections.
const code = await main(process.argv.slice(2))
process.stdout.write('', () => process.exit(code))

async function main(args: string[]): Promise<number> {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: { entries: { type: 'string', default: '1000' }, help: { type: 'boolean' } },
    })
    const [command, module] = positionals
    if (values.help) {
      console.log(usage)
      return 0
    }
    if (command === 'check' && module !== undefined) return await check(module, parseEntryCount(values.entries))
    if (command === 'sql' && module !== undefined) return await printSql(module)
    throw new Error('Specify a command (check or sql) and a module')
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    console.error(`\n${usage}`)
    return 2
  }
}

/** Returns the exit code: 1 if entries differed, otherwise 0. */
async function check(module: string, entries: number): Promise<number> {
  const { open } = (await load(module)) as {
    open?: () => Promise<Pick<CachedEntities<unknown>, 'cache' | 'checkConsistency' | 'stop'>>
  }
  if (typeof open !== 'function') throw new Error(`${module} must export a function open()`)
  const opened = await open()
  try {
    if (!opened.cache.trusted) throw new Error(`The cache is not usable: ${opened.cache.distrustReason}`)
    const { audited, wrong } = await opened.checkConsistency(entries)
    for (const entry of wrong) console.log(JSON.stringify(entry))
    console.log(`${audited} entries compared, ${wrong.length} differed`)
    return wrong.length > 0 ? 1 : 0
  } finally {
    await opened.stop()
  }
}

async function printSql(module: string): Promise<number> {
  const { entities } = (await load(module)) as { entities?: TrackedEntities }
  if (entities === undefined) throw new Error(`${module} must export entities`)
  process.stdout.write(await trackingSql(entities))
  return 0
}

function load(module: string): Promise<unknown> {
  return import(pathToFileURL(resolve(module)).href)
}

function parseEntryCount(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`--entries must be a whole number from 1 to 9999999, got "${text}"`)
  return Number(text)
}
