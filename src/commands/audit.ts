import 'reflect-metadata'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { runAudit } from '../app.js'
import { readEnvironment } from '../config/environment.js'
import { ConfigError, readConfig, redisVariables } from '../config.js'
import { runCommand } from './run-command.js'

/** npm run audit: compares cache entries with the database. Exits with 1 if an entry was wrong, and with 2 if the audit failed. */
const usage = `Usage: npm run audit -- [--entries 1000]
Compares this number of cache entries with the database and invalidates the wrong entries.`

// Exits even if a connection that is being closed keeps the event loop alive.
process.exit(await runCommand({ usage, readOptions, run }))

function readOptions() {
  const { values } = parseArgs({
    options: { entries: { type: 'string', default: '1000' }, help: { type: 'boolean', default: false } },
  })
  if (!/^[1-9]\d{0,8}$/.test(values.entries)) throw new Error(`--entries takes a whole number from 1, not "${values.entries}"`)
  return { entries: Number(values.entries), help: values.help }
}

async function run({ entries }: { entries: number }): Promise<number> {
  try {
    return await auditAndReport(entries)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
}

async function auditAndReport(entries: number): Promise<number> {
  const config = readConfig(readEnvironment())
  if (redisVariables.every((name) => config[name] === undefined)) {
    throw new ConfigError([
      `none of ${redisVariables.join(', ')} is set: without Redis, the cache is in the memory of the server and cannot be audited by this command`,
    ])
  }
  const { audited, wrong } = await runAudit(config, entries)
  for (const { namespace, entry, cached, actual } of wrong) {
    process.stdout.write(
      `WRONG ${namespace} ${JSON.stringify(entry)}\n  cached ${JSON.stringify(cached)}\n  actual ${JSON.stringify(actual)}\n`,
    )
  }
  const accuracy = audited === 0 ? 100 : (100 * (audited - wrong.length)) / audited
  process.stdout.write(`${audited} entries compared, ${wrong.length} wrong (and invalidated): ${accuracy.toFixed(4)} % correct\n`)
  return wrong.length > 0 ? 1 : 0
}
