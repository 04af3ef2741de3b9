import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runCommand } from '../src/commands/run-command.js'
import { freePort } from '../tools/free-port.js'
import { buildServer } from './build-server.js'
import { wholeNumber } from './options.js'
import { openScratchShop } from './scratch-shop.js'
import { ServedProcess } from './served-process.js'
import { attackNames } from './siege/attacks.js'
import { runHonest } from './siege/honest.js'
import { newPeriod, type Period } from './siege/period.js'
import { findings, siegeTable } from './siege/report.js'
import { watch } from './siege/watch.js'
import { reachVerdict } from './verdict.js'

// npm run siege: a client with one address attacks one process; measures what honest clients and the operator notice.

const usage = `Usage: npm run siege -- [--minutes 10 | --seconds 60] [--seed N] [--attack NAME]
Attacks a process and measures its honest clients, probes, memory and log. --attack: run only one of
${attackNames.join('; ')}`
const idleSeconds = 2
/** Time after the attack within which the process must have recovered */
const recoverySeconds = 3
const maxAttackSeconds = 10
const secret = 'a secret of the siege, of more than 32 bytes'

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: judgeSiege })
// The requests of an interrupted run would keep the process running.
process.exit()

async function judgeSiege(options: ReturnType<typeof readOptions>): Promise<number> {
  buildServer()
  console.log(`--seed ${options.seed}`)
  return reachVerdict({
    run: (cleanups) => siege(options, cleanups),
    hasPassed: (periods) => findings(periods).length === 0,
    describe: (periods) => [siegeTable(periods), ...findings(periods)].join('\n'),
  })
}

function readOptions(args: string[]) {
  const [text, flag] = [{ type: 'string' }, { type: 'boolean', default: false }] as const
  const { values } = parseArgs({ args, options: { minutes: text, seconds: text, seed: text, attack: text, help: flag } })
  const { minutes, seconds, seed, attack, help } = values
  if (attack !== undefined && !(attackNames as string[]).includes(attack))
    throw new Error(`--attack takes one of ${attackNames.join('; ')}, not "${attack}".`)
  return {
    seconds:
      seconds === undefined ? 60 * wholeNumber('minutes', minutes ?? '10', 1, 1_440) : wholeNumber('seconds', seconds, 6, 86_400),
    seed: wholeNumber('seed', seed ?? String(Math.floor(Math.random() * 2 ** 32)), 0, 2 ** 32 - 1),
    attack,
    help,
  }
}

async function siege(
  { seconds, seed, attack }: ReturnType<typeof readOptions>,
  cleanups: (() => Promise<unknown>)[],
): Promise<Period[]> {
  const shop = await openScratchShop()
  cleanups.push(shop.close)
  // Enough stock for all orders
  await shop.database`update products set stock = 1000000`
  const served = new ServedProcess(await freePort(), {
    // The heap limit that V8 chooses in the container of deploy/kubernetes. On a machine with more memory V8 would collect
    // garbage later.
    NODE_OPTIONS: '--max-old-space-size=512',
    DATABASE_URL: shop.databaseUrl,
    REDIS_URL: shop.redis.url,
    // As in production: rate limits, tokens and a log
    AUTH_OPEN: '',
    AUTH_JWT_SECRET: secret,
    RATE_LIMIT: '',
    LOG_LEVEL: 'info',
    // So few that one address can try to occupy all
    MAX_CONNECTIONS: '500',
  })
  cleanups.push(() => served.stop())
  await served.start()

  const periods = [newPeriod(null)]
  const period = () => periods.at(-1) as Period
  let [clientsStopped, watchStopped] = [false, false]
  const honest = runHonest({ port: served.port, secret, period, isRunning: () => !clientsStopped && served.isRunning })
  const watching = watch({ shop, served, period, isRunning: () => !watchStopped && served.isRunning })
  // Warm-up, which is not measured
  await sleep(idleSeconds * 1_000)
  periods.splice(0, 1, newPeriod(null))
  await sleep(idleSeconds * 1_000)

  const attacker = startAttacker({ port: served.port, seed, attack, attackSeconds: attackSeconds(seconds) }, (name) => {
    console.log(name)
    periods.push(newPeriod(name))
  })
  cleanups.push(attacker.stop)
  while (periods.length === 1 && attacker.isRunning()) await sleep(20)
  const endsAt = performance.now() + seconds * 1_000
  while (performance.now() < endsAt && served.isRunning) await sleep(100)
  await attacker.stop()
  await sleep(recoverySeconds * 1_000)
  periods.push(newPeriod(null))
  await sleep(idleSeconds * 1_000)
  clientsStopped = true
  await honest
  // The watch stops last, because a subscriber waits for the next change of a product, which the watch makes.
  watchStopped = true
  await watching
  served.expectRunning()
  return periods
}

/** Short enough for each attack to run once */
function attackSeconds(seconds: number): number {
  return Math.min(maxAttackSeconds, seconds / Math.ceil(attackNames.length / 3))
}

interface AttackerOptions {
  port: number
  seed: number
  attack: string | undefined
  attackSeconds: number
}

function startAttacker({ port, seed, attack, attackSeconds }: AttackerOptions, begins: (attacks: string) => void) {
  const file = fileURLToPath(new URL('siege/attacker.ts', import.meta.url))
  const args = [
    '--import',
    'tsx',
    file,
    String(port),
    String(seed),
    String(attackSeconds),
    ...(attack === undefined ? [] : [attack]),
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface(child.stdout).on('line', begins)
  const exited = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { stop, isRunning: () => child.exitCode === null && child.signalCode === null }
}
