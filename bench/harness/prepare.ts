import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { readStartCommand } from '../../tools/start-command.js'
import { Child } from './child.js'
import type { BenchContext } from './context.js'
import { onPath } from './on-path.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const bench = join(root, 'bench')

/** Folder of the built servers, from which Node resolves the packages of bench/ */
export const builtServers = join(bench, 'dist')

const installMs = 600_000
const buildMs = 60_000

export function expectRedisServer(): void {
  if (onPath('redis-server')) return
  throw new Error(
    'redis-server is not on the PATH. Install it with: apt-get install redis-server (Debian, Ubuntu), apk add redis (Alpine), brew install redis (macOS).',
  )
}

/** Builds the project as `npm start` does. */
export async function buildProject(context: BenchContext): Promise<void> {
  context.print('building the project')
  await npm(context, ['run', '--silent', 'build'], buildMs)
}

/** Builds the peers, after installing their packages if these are missing. */
export async function buildServers(context: BenchContext): Promise<void> {
  if (!existsSync(join(bench, 'node_modules', '.package-lock.json'))) {
    context.print('installing the packages of the peers (npm ci --prefix bench)')
    await npm(context, ['ci', '--prefix', 'bench', '--no-audit'], installMs)
  }
  await rm(builtServers, { recursive: true, force: true })
  await build({
    absWorkingDir: bench,
    entryPoints: ['servers/*.ts', 'load/autocannon.ts'],
    entryNames: '[name]',
    outdir: builtServers,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
  })
}

/** The V8 flags and the entry of the project's start script, so that it is measured as its users run it */
export function readStartScript(): { flags: string[]; entry: string } {
  const [, ...words] = readStartCommand(root)
  return { flags: words.slice(0, -1), entry: join(root, words.at(-1) as string) }
}

async function npm(context: BenchContext, args: readonly string[], timeoutMs: number): Promise<void> {
  const child = new Child({ name: `npm ${args[0]}`, command: ['npm', ...args], env: process.env, cwd: root })
  context.cleanups.push(() => child.stop())
  await child.finish(timeoutMs)
}
