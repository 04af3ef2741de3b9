import 'reflect-metadata'
import { parseArgs } from 'node:util'
import { runAudit } from '../app.js'
import { readEnvironment } from '../config/environment.js'
import { ConfigError, readConfig, redisVariables } from '../config.js'

/** npm run audit: compares entries of the cache with the database; ends with 1 where one was wrong. */
const { values } = parseArgs({ options: { entries: { type: 'string', default: '1000' } } })
const entries = Number(values.entries)

try {
  if (!Number.isInteger(entries) || entries < 1) throw new ConfigError(['--entries must be a whole number from 1'])
  const config = readConfig(readEnvironment())
  if (redisVariables.every((name) => config[name] === undefined)) {
    throw new ConfigError([`none of ${redisVariables.join(', ')} is set: a cache in another process cannot be audited from here`])
  }
  const { audited, wrong } = await runAudit(config, entries)
  for (const { namespace, entry, cached, actual } of wrong) {
    process.stdout.write(
      `WRONG ${namespace} ${JSON.stringify(entry)}\n  cached ${JSON.stringify(cached)}\n  actual ${JSON.stringify(actual)}\n`,
    )
  }
  const share = audited === 0 ? 100 : (100 * (audited - wrong.length)) / audited
  process.stdout.write(`${audited} entries compared, ${wrong.length} wrong (and invalidated): ${share.toFixed(4)} % right\n`)
  process.exit(wrong.length > 0 ? 1 : 0)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(2)
}
