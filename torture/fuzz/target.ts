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

export interface MemoryUsage {
  heapBytes: number
  rssBytes: number
  /** Sockets, timers and the like */
  resources: number
}

/** The built server in a separate process, with a real Postgres and a real Redis */
export interface Target {
  port: number
  database: Database
  /** Signs tokens */
  tokenSecret: string
  secrets: string[]
  /** Memory usage after a garbage collection */
  measureMemory(): Promise<MemoryUsage>
  /** Exit code and signal; null while it runs */
  ended(): string | null
  /** Must be empty */
  stderr(): string
  log(): string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const startTimeoutMs = 60_000

/** Builds and starts the server. The caller must run `cleanups` in reverse order, also after a failure. */
export async function startTarget(cleanups: (() => Promise<unknown>)[]): Promise<Target> {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-'))
  // Postgres does not run as root and needs access to the folder.
  await chmod(folder, 0o755)
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const postgres = await startEmbeddedPostgres({ dataDirectory: folder, log: () => {} })
  cleanups.push(() => postgres.stop())
  const database = connect({ url: postgres.url, maxConnections: 2, statementTimeoutMs: 20_000, connectTimeoutMs: 10_000 })
  cleanups.push(() => database.end({ timeout: 1 }))
  const redisFolder = join(folder, 'redis')
  await mkdir(redisFolder)
  const redis = new RedisServer(await freePort(), redisFolder)
  cleanups.push(() => redis.stop())
  await redis.start()

  const port = await freePort()
  const tokenSecret = randomBytes(32).toString('hex')
  const env = { ...settings, PORT: String(port), DATABASE_URL: postgres.url, REDIS_URL: redis.url, AUTH_JWT_SECRET: tokenSecret }
  const child = launch(env)
  cleanups.push(() => end(child))
  const output = { stdout: collect(child.stdout), stderr: collect(child.stderr) }
  const ended = () =>
    child.exitCode === null && child.signalCode === null ? null : `exit code ${child.exitCode}, signal ${child.signalCode}`
  await waitFor(() => output.stdout().includes('Ready: ') || ended() !== null)
  if (ended() !== null) throw new Error(`The server did not start: ${output.stderr()}`)
  return {
    ...{ port, database, tokenSecret, ended, stderr: output.stderr, log: output.stdout },
    secrets: [tokenSecret, new URL(postgres.url).password, folder, root],
    measureMemory: () => measureMemory(child),
  }
}

/** Small caches, so that the memory usage becomes stable soon. */
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

async function measureMemory(child: ChildProcess): Promise<MemoryUsage> {
  const answer = once(child.stdio[3] as Readable, 'data')
  child.kill('SIGUSR2')
  const [line] = await Promise.race([answer, sleep(10_000, ['null'], { ref: false })])
  const usage = JSON.parse(String(line))
  if (usage === null) throw new Error('The server did not report its memory usage within 10 s')
  return usage
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const hasExited = await Promise.race([exited.then(() => true), sleep(12_000, false, { ref: false })])
  if (hasExited) return
  child.kill('SIGKILL')
  throw new Error('The server did not stop within 12 s of SIGTERM')
}

async function waitFor(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`The server did not become ready within ${startTimeoutMs} ms`)
    await sleep(20)
  }
}
