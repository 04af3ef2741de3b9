import process from 'node:process'
import { parseArgs } from 'node:util'
import { runCommand } from '../src/commands/run-command.js'
import { buildServer } from './build-server.js'
import { wholeNumber } from './options.js'
import { type Phase, runOutage } from './outage/outage.js'
import { findings, outageTable } from './outage/report.js'
import { openScratchShop } from './scratch-shop.js'
import { reachVerdict } from './verdict.js'

// npm run outage: measures what readers notice when a process under steady load is stalled, and when Redis is killed and
// restarted.

const usage = `Usage: npm run outage -- [--near] [--seconds 5] [--stalls 20]
Stops the process for 400 ms of each second, --stalls times; then kills Redis for --seconds. --near: with the near store.`

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: judgeOutage })
// The requests of an interrupted run would keep the process running.
process.exit()

async function judgeOutage(options: ReturnType<typeof readOptions>): Promise<number> {
  buildServer()
  return reachVerdict<Phase[]>({
    async run(cleanups) {
      const shop = await openScratchShop()
      cleanups.push(shop.close)
      const stalls = { count: options.stalls, stoppedMs: 400, runningMs: 600 }
      return runOutage(shop, { near: options.near, readers: 20, phaseMs: options.seconds * 1_000, stalls }, cleanups)
    },
    hasPassed: (phases) => findings(phases).length === 0,
    describe: (phases) => [outageTable(phases), ...findings(phases)].join('\n'),
  })
}

function readOptions(args: string[]) {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean', default: false }] as const
  const { values } = parseArgs({ args, options: { near: flag, help: flag, seconds: text, stalls: text } })
  return {
    ...{ near: values.near, help: values.help },
    seconds: wholeNumber('seconds', values.seconds ?? '5', 1, 3_600),
    stalls: wholeNumber('stalls', values.stalls ?? '20', 1, 3_600),
  }
}
