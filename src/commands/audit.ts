import 'reflect-metadata'
import { parseArgs } from 'node:util'
import { runAudit } from '../app.js'
import { readEnvironment } from '../config/environment.js'
import { ConfigError, readConfig, redisVariables } from '../config.js'

/** npm run audit: compares cache entries with the database. Exits with 1 if an entry was wrong, and with 2 if the audit failed. */
const usage = `Usage: npm run audit -- [--entries 1000]
Compares this number of cache entries with the database and invalidates the wrong entries.\n`
const { values } = parseArgs({ options: { entries: { type: 'string', default: '1000' }, help: { type: 'boolean' } } })
if (values.help) {
  process.stdout.write(usage)
  process.exit()
}
const entries = Number(values.entries)

try {
  if (!Number.isInteger(entries) || entries < 1) throw new ConfigError(['--entries must be a whole number from 1'])
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
  process.exit(wrong.length > 0 ? 1 : 0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(2)
}
