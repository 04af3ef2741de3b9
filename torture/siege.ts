import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../tools/free-port.js'
import { runCommand } from '../tools/run-command.js'
import { wholeNumber } from './options.js'
import { openScratchShop } from './scratch-shop.js'
import { ServedProcess } from './served-process.js'
import { attackNames } from './siege/attacks.js'
import { runHonest } from './siege/honest.js'
import { findings, siegeTable } from './siege/report.js'
import { newSpan, type Span } from './siege/span.js'
import { watch } from './siege/watch.js'
import { reachVerdict } from './verdict.js'

// npm run siege: an enemy with one address does all it can to one process; what do honest clients and the operator see of it?

const usage = `Usage: npm run siege -- [--minutes 10 | --seconds 60] [--seed N] [--attack NAME]
--attack: only that one of ${attackNames.join('; ')}`
const easeSeconds = 2
/** So long after the enemy has gone, everything is as before. */
const recoverySeconds = 3
const longestStrikeSeconds = 10
const secret = 'a secret of the siege, of more than 32 bytes'

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: judgeSiege })

async function judgeSiege(options: ReturnType<typeof readOptions>): Promise<number> {
  console.log(`--seed ${options.seed}`)
  return reachVerdict({
    run: (stops) => siege(options, stops),
    hasPassed: (spans) => findings(spans).length === 0,
    describe: (spans) => [siegeTable(spans), ...findings(spans)].join('\n'),
  })
}

function readOptions(args: string[]) {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ args, options: { minutes: text, seconds: text, seed: text, attack: text } })
  const { minutes, seconds, seed, attack } = values
  if (attack !== undefined && !(attackNames as string[]).includes(attack)) throw new Error(`There is no attack "${attack}".`)
  return {
    seconds:
      seconds === undefined ? 60 * wholeNumber('minutes', minutes ?? '10', 1, 1_440) : wholeNumber('seconds', seconds, 6, 86_400),
    seed: wholeNumber('seed', seed ?? String(Math.floor(Math.random() * 2 ** 32)), 0, 2 ** 32 - 1),
    attack,
  }
}

async function siege(
  { seconds, seed, attack }: ReturnType<typeof readOptions>,
  stops: (() => Promise<unknown>)[],
): Promise<Span[]> {
  const shop = await openScratchShop()
  stops.push(shop.close)
  // Enough for every order
  await shop.database`update products set stock = 1000000`
  const served = new ServedProcess(await freePort(), {
    // What V8 takes by itself in the container of deploy/kubernetes; with this machine's memory it would collect when it likes.
    NODE_OPTIONS: '--max-old-space-size=512',
    DATABASE_URL: shop.databaseUrl,
    REDIS_URL: shop.redis.url,
    // As in production: with budgets, tokens, and a log of what went wrong
    AUTH_OPEN: '',
    AUTH_JWT_SECRET: secret,
    RATE_LIMIT: '',
    LOG_LEVEL: 'info',
    // So few that one address can try to have them all
    MAX_CONNECTIONS: '500',
  })
  stops.push(() => served.stop())
  await served.start()

  const spans = [newSpan(null)]
  const span = () => spans.at(-1) as Span
  let [isOver, isUnwatched] = [false, false]
  const honest = runHonest({ port: served.port, secret, span, goesOn: () => !isOver && served.isRunning })
  const watching = watch({ shop, served, span, goesOn: () => !isUnwatched && served.isRunning })
  // The process is warm then.
  await sleep(easeSeconds * 1_000)
  spans.splice(0, 1, newSpan(null))
  await sleep(easeSeconds * 1_000)

  const enemy = startEnemy({ port: served.port, seed, attack, strikeSeconds: strikeSeconds(seconds) }, (name) => {
    console.log(name)
    spans.push(newSpan(name))
  })
  stops.push(enemy.stop)
  while (spans.length === 1 && enemy.isRunning()) await sleep(20)
  const endsAt = performance.now() + seconds * 1_000
  while (performance.now() < endsAt && served.isRunning) await sleep(100)
  await enemy.stop()
  await sleep(recoverySeconds * 1_000)
  spans.push(newSpan(null))
  await sleep(easeSeconds * 1_000)
  isOver = true
  await honest
  // Until then: who follows a product waits for its next change.
  isUnwatched = true
  await watching
  served.expectRunning()
  return spans
}

/** Short enough for each attack to have its turn */
function strikeSeconds(seconds: number): number {
  return Math.min(longestStrikeSeconds, seconds / Math.ceil(attackNames.length / 3))
}

interface EnemyOptions {
  port: number
  seed: number
  attack: string | undefined
  strikeSeconds: number
}

function startEnemy({ port, seed, attack, strikeSeconds }: EnemyOptions, begins: (attacks: string) => void) {
  const file = fileURLToPath(new URL('siege/enemy.ts', import.meta.url))
  const args = [
    '--import',
    'tsx',
    file,
    String(port),
    String(seed),
    String(strikeSeconds),
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
