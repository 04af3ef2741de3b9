import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect, type Database } from '../../src/platform/database/connection.js'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { freePort } from '../../tools/free-port.js'
import { RedisServer } from '../redis-server.js'

export interface Held {
  heldBytes: number
  rssBytes: number
  /** Sockets, timers and the like */
  resources: number
}

/** The built product in a process of its own, with a real Postgres and a real Redis */
export interface Target {
  port: number
  database: Database
  /** Signs tokens */
  tokenSecret: string
  secrets: string[]
  /** What it holds after a collection of garbage */
  held(): Promise<Held>
  /** How it ended; null while it runs */
  ended(): string | null
  /** Nothing may appear there. */
  stderr(): string
  log(): string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const startPatienceMs = 60_000

/** `stops` gets what has to be undone, also after a failure. */
export async function startTarget(stops: (() => Promise<unknown>)[]): Promise<Target> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  // Postgres, which does not run as root, has to be able to enter it.
  await chmod(folder, 0o755)
  stops.push(() => rm(folder, { recursive: true, force: true }))
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  stops.push(() => postgres.stop())
  const database = connect({ url: postgres.url, maxConnections: 2, statementTimeoutMs: 20_000, connectTimeoutMs: 10_000 })
  stops.push(() => database.end({ timeout: 1 }))
  const redisFolder = join(folder, 'redis')
  await mkdir(redisFolder)
  const redis = new RedisServer(await freePort(), redisFolder)
  stops.push(() => redis.stop())
  await redis.start()

  const port = await freePort()
  const tokenSecret = randomBytes(32).toString('hex')
  const env = { ...settings, PORT: String(port), DATABASE_URL: postgres.url, REDIS_URL: redis.url, AUTH_JWT_SECRET: tokenSecret }
  const child = launch(env)
  stops.push(() => end(child))
  const output = { stdout: collect(child.stdout), stderr: collect(child.stderr) }
  const ended = () =>
    child.exitCode === null && child.signalCode === null ? null : `exit code ${child.exitCode}, signal ${child.signalCode}`
  await until(() => output.stdout().includes('Ready: open') || ended() !== null)
  if (ended() !== null) throw new Error(`The server does not start: ${output.stderr()}`)
  return {
    ...{ port, database, tokenSecret, ended, stderr: output.stderr, log: output.stdout },
    secrets: [tokenSecret, new URL(postgres.url).password, folder, root],
    held: () => held(child),
  }
}

/** Small caches, so that what is held soon is what will be held for ever. */
const settings = { LOG_LEVEL: 'warn', CACHE_NEAR_MB: '4', AUDIT_INTERVAL_MS: '0' }

function launch(env: Readonly<Record<string, string>>): ChildProcess {
  const probe = new URL('heap-probe.js', import.meta.url).href
  const flags = ['--enable-source-maps', '--expose-gc', '--import', probe]
  return spawn(process.execPath, [...flags, join(root, 'dist', 'main.js')], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
}

function collect(stream: Readable | null): () => string {
  let text = ''
  stream?.on('data', (chunk) => (text += chunk))
  return () => text
}

async function held(child: ChildProcess): Promise<Held> {
  const answer = once(child.stdio[3] as Readable, 'data')
  child.kill('SIGUSR2')
  const [line] = await Promise.race([answer, sleep(10_000, ['null'], { ref: false })])
  const figures = JSON.parse(String(line))
  if (figures === null) throw new Error('The server does not say what it holds')
  return figures
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const isOver = await Promise.race([exited.then(() => true), sleep(12_000, false, { ref: false })])
  if (isOver) return
  child.kill('SIGKILL')
  throw new Error('The server did not stop')
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + startPatienceMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('It did not happen in time')
    await sleep(20)
  }
}
