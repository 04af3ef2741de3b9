import process from 'node:process'
import { parseArgs } from 'node:util'
import { runCommand } from '../src/commands/run-command.js'
import { buildServer } from './build-server.js'
import { wholeNumber } from './options.js'
import { hasPassed, rollingTable } from './rolling/report.js'
import { type RollingSummary, runRollingRestart } from './rolling/rolling-restart.js'
import { openScratchShop } from './scratch-shop.js'

// npm run rolling: restarts processes in turn under load and measures what readers and writers notice.

const usage = `Usage: npm run rolling -- [--seconds 30] [--processes 2] [--delay 1000] [--from FOLDER]
Restarts processes in turn under load. --delay: milliseconds between SIGTERM and the end of a process. --from: a built checkout of an earlier
version, with which the processes start.`

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: rollAndReport })

async function rollAndReport(options: ReturnType<typeof readOptions>): Promise<number> {
  buildServer()
  const summary = await rollWithShop(options)
  console.log(`\n${rollingTable(summary)}`)
  return hasPassed(summary) ? 0 : 1
}

function readOptions(args: string[]) {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({ args, options: { seconds: text, processes: text, delay: text, from: text, help: flag } })
  return {
    help: values.help,
    seconds: wholeNumber('seconds', values.seconds ?? '30', 1, 86_400),
    processes: wholeNumber('processes', values.processes ?? '2', 2, 8),
    delayMs: wholeNumber('delay', values.delay ?? '1000', 0, 60_000),
    from: values.from,
  }
}

async function rollWithShop({ seconds, processes, delayMs, from }: ReturnType<typeof readOptions>): Promise<RollingSummary> {
  const interrupted = interruption()
  const shop = await openScratchShop({ isEmpty: from !== undefined })
  try {
    interrupted.throwIfAborted()
    const until = performance.now() + seconds * 1_000
    return await runRollingRestart({
      ...{
        databaseUrl: shop.databaseUrl,
        database: shop.database,
        redisUrl: shop.redis.url,
        processes,
        delayMs,
        from,
        pauseMs: 5,
      },
      shouldContinue: () => performance.now() < until && !interrupted.aborted,
      onRestart: (port, tookMs) => console.log(`the process on port ${port} is ready again after ${Math.round(tookMs)} ms`),
    })
  } finally {
    await shop.close()
  }
}

/** Aborted by a signal; the current round is finished. Ctrl+C arrives twice, from the terminal and from tsx. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort(new Error(signal)))
  return controller.signal
}
