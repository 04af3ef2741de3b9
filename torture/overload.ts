import process from 'node:process'
import { parseArgs } from 'node:util'
import { freePort } from '../tools/free-port.js'
import { wholeNumber } from './options.js'
import { type Phase, runPhase } from './overload/phase.js'
import { findings, overloadTable } from './overload/report.js'
import { openScratchShop } from './scratch-shop.js'
import { ServedProcess } from './served-process.js'
import { reachVerdict } from './verdict.js'

// npm run overload: more is asked of one process than it can do; who is answered, who is refused, and what does it cost in memory?

const usage = 'Usage: npm run overload -- [--seconds 20] [--clients 300] [--unprotected, to see what the limits are for]'
const clientsAtEase = 2

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`)
    return 1
  }
  return reachVerdict({
    run: (stops) => overload(options, stops),
    hasPassed: (phases) => findings(phases).length === 0,
    describe: (phases) => [overloadTable(phases), ...findings(phases)].join('\n'),
  })
}

function readOptions(args: string[]) {
  const text = { type: 'string' } as const
  const unprotected = { type: 'boolean', default: false } as const
  const { values } = parseArgs({ args, options: { seconds: text, clients: text, unprotected } })
  return {
    seconds: wholeNumber('seconds', values.seconds ?? '20', 1, 3_600),
    clients: wholeNumber('clients', values.clients ?? '300', 1, 5_000),
    unprotected: values.unprotected,
  }
}

async function overload(
  { seconds, clients, unprotected }: ReturnType<typeof readOptions>,
  stops: (() => Promise<unknown>)[],
): Promise<Phase[]> {
  const shop = await openScratchShop()
  stops.push(shop.close)
  const served = new ServedProcess(await freePort(), {
    // What V8 takes by itself in the container of deploy/kubernetes; with this machine's memory it would collect when it likes.
    NODE_OPTIONS: '--max-old-space-size=512',
    DATABASE_URL: shop.databaseUrl,
    REDIS_URL: shop.redis.url,
    ...(unprotected && { MAX_EVENT_LOOP_DELAY_MS: '60000' }),
  })
  stops.push(() => served.stop())
  await served.start()
  const phases: Phase[] = []
  for (const [name, its] of [
    ['at ease', clientsAtEase],
    ['overload', clients],
    ['afterwards', clientsAtEase],
  ] as const) {
    phases.push(await runPhase(served, { name, clients: its, seconds }))
    console.log(`${name}: done`)
  }
  return phases
}
