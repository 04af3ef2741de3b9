import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../tools/free-port.js'
import { Child } from './child.js'
import type { BenchContext } from './context.js'
import { builtServers, readStartScript } from './prepare.js'
import { type ServerName, serverNames } from './server-names.js'
import type { Shop } from './shop.js'

export interface RunningServer {
  name: string
  url: string
  child: Child
}

export interface ServerOptions {
  shop: Shop
  /** Command prefix that pins the server to its core */
  prefix: readonly string[]
  sameFlags: boolean
  /** Additional environment variables for the project's own server */
  env?: Readonly<Record<string, string>>
}

const startTimeoutMs = 20_000

/** Starts a server with a separate Redis database. Resolves when the server prints its URL. */
export async function startServer({ cleanups }: BenchContext, name: ServerName, options: ServerOptions): Promise<RunningServer> {
  const { entry, env } = isOurs(name) ? planOurs(name, options) : planPeer(name)
  const shared = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    DATABASE_URL: options.shop.databaseUrl,
    REDIS_URL: `${options.shop.redis.url}/${serverNames.indexOf(name)}`,
  }
  const command = [...options.prefix, process.execPath, ...serverFlags(name, options.sameFlags), entry]
  // In another folder, so that it does not read a developer's .env file
  const child = new Child({ name, command, env: { ...shared, ...env }, cwd: tmpdir() })
  cleanups.push(() => child.stop())
  return { name, child, url: await child.find(/(http:\/\/[^\s"]+)/, startTimeoutMs) }
}

/** The project's own server, as `npm start` runs it */
function planOurs(name: ServerName, { env }: ServerOptions) {
  const start = readStartScript()
  const settings = {
    DEMO_DATA: 'false',
    LOG_LEVEL: 'warn',
    CACHE_PREFIX: name,
    ...(name === 'ours-far' && { CACHE_NEAR_MB: '0' }),
  }
  return { entry: start.entry, env: { ...settings, ...env } }
}

function planPeer(name: ServerName) {
  return { entry: join(builtServers, `${name}.js`), env: { NODE_ENV: 'production' } }
}

/**
 * The limit gets the garbage collection flags of ours, whether or not they help it. The others start as their guides recommend.
 */
export function serverFlags(name: ServerName, sameFlags: boolean): string[] {
  if (sameFlags || isOurs(name)) return readStartScript().flags
  return name.startsWith('limit') ? readStartScript().flags.filter((flag) => flag !== '--enable-source-maps') : []
}

function isOurs(name: ServerName): boolean {
  return name.startsWith('ours')
}
