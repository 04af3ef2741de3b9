import process from 'node:process'
import { parseArgs } from 'node:util'
import { wholeNumber } from './options.js'
import { hasRolledWell, rollingTable } from './rolling/report.js'
import { type Rolled, roll } from './rolling/roll.js'
import { openScratchShop } from './scratch-shop.js'

// npm run rolling: processes are restarted in turn under load; what do readers and writers notice?

const usage =
  'Usage: npm run rolling -- [--seconds 30] [--processes 2] [--delay 1000, milliseconds between SIGTERM and the end]\n  [--from FOLDER, a checkout of an earlier version that was built: the processes begin with that one]'

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  try {
    const options = readOptions(args)
    const rolled = await rollFor(options)
    console.log(`\n${rollingTable(rolled)}`)
    return hasRolledWell(rolled) ? 0 : 1
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
}

function readOptions(args: string[]) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { seconds: text, processes: text, delay: text, from: text } })
  return {
    seconds: wholeNumber('seconds', values.seconds ?? '30', 1, 86_400),
    processes: wholeNumber('processes', values.processes ?? '2', 2, 8),
    delayMs: wholeNumber('delay', values.delay ?? '1000', 0, 60_000),
    from: values.from,
  }
}

async function rollFor({ seconds, processes, delayMs, from }: ReturnType<typeof readOptions>): Promise<Rolled> {
  const shop = await openScratchShop({ isEmpty: from !== undefined })
  const interrupted = interruption()
  try {
    const until = performance.now() + seconds * 1_000
    return await roll({
      ...{ databaseUrl: shop.databaseUrl, database: shop.database, redisUrl: shop.redis.url, processes, delayMs, from },
      goOn: () => performance.now() < until && !interrupted.aborted,
      onRestart: (port, tookMs) => console.log(`the process on port ${port} is ready again after ${Math.round(tookMs)} ms`),
    })
  } finally {
    await shop.close()
  }
}

/** The round that has begun is finished. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}
