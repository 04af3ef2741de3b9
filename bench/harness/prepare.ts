import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { readStartCommand } from '../../tools/start-command.js'
import { Child } from './child.js'
import { onPath } from './on-path.js'
import type { World } from './stops.js'

export const root = fileURLToPath(new URL('../..', import.meta.url))
const bench = join(root, 'bench')

/** Built servers lie where they find the packages of bench/. */
export const builtServers = join(bench, 'dist')

const installMs = 600_000
const buildMs = 60_000

export function expectRedisServer(): void {
  if (onPath('redis-server')) return
  throw new Error(
    'There is no redis-server on the PATH. To install one: apt-get install redis-server (Debian, Ubuntu), apk add redis (Alpine), brew install redis (macOS).',
  )
}

/** The project as `npm start` would build it. */
export async function buildProject(world: World): Promise<void> {
  world.print('building the project')
  await npm(world, ['run', '--silent', 'build'], buildMs)
}

/** The servers to compare with, their packages first where these are missing. */
export async function buildServers(world: World): Promise<void> {
  if (!existsSync(join(bench, 'node_modules', '.package-lock.json'))) {
    world.print('installing the servers to compare with (npm ci --prefix bench)')
    await npm(world, ['ci', '--prefix', 'bench', '--no-audit'], installMs)
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

/** How the project's own start script calls node: always as its users do. */
export function readStartScript(): { flags: string[]; entry: string } {
  const [, ...words] = readStartCommand(root)
  return { flags: words.slice(0, -1), entry: join(root, words.at(-1) as string) }
}

async function npm(world: World, args: readonly string[], patienceMs: number): Promise<void> {
  const child = new Child({ name: `npm ${args[0]}`, command: ['npm', ...args], env: process.env, cwd: root })
  world.stops.push(() => child.stop())
  await child.finish(patienceMs)
}
