import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../tools/free-port.js'
import { Child } from './child.js'
import type { BenchContext } from './context.js'
import { builtServers, readStartScript } from './prepare.js'
import type { MixedServerName, ServerName } from './server-names.js'
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
  /** Number of the Redis database */
  redisDatabase?: number
  /** Additional environment variables */
  env?: Readonly<Record<string, string>>
  /** File of the peer, if it is not named like the server */
  peer?: string
  processes?: number
}

type AnyServerName = ServerName | MixedServerName

const startTimeoutMs = 20_000

/** Starts a server. Resolves when the server prints its URL. */
export async function startServer(
  { cleanups }: BenchContext,
  name: AnyServerName,
  options: ServerOptions,
): Promise<RunningServer> {
  const { entry, env } = isOurs(name) ? planOurs(name, options) : planPeer(name, options)
  const shared = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    DATABASE_URL: options.shop.databaseUrl,
    REDIS_URL: `${options.shop.redis.url}/${options.redisDatabase ?? 0}`,
  }
  const command = [...options.prefix, process.execPath, ...serverFlags(name, options.sameFlags), ...entry]
  // In another folder, so that it does not read a developer's .env file
  const child = new Child({ name, command, env: { ...shared, ...env, ...options.env }, cwd: tmpdir() })
  cleanups.push(() => child.stop())
  return { name, child, url: await child.find(/(http:\/\/[^\s"]+)/, startTimeoutMs) }
}

/** The project's own server, as `npm start` runs it */
function planOurs(name: AnyServerName, { processes = 1 }: ServerOptions) {
  const env = {
    DEMO_DATA: 'false',
    LOG_LEVEL: 'warn',
    CACHE_PREFIX: name,
    ...(name === 'ours-far' && { CACHE_NEAR_MB: '0' }),
    ...(processes > 1 && { WORKERS: String(processes) }),
  }
  return { entry: [readStartScript().entry], env }
}

function planPeer(name: AnyServerName, { peer = name, processes = 1 }: ServerOptions) {
  const file = join(builtServers, `${peer}.js`)
  const entry = processes > 1 ? [join(builtServers, 'cluster.js'), file, String(processes)] : [file]
  return { entry, env: { NODE_ENV: 'production' } }
}

/**
 * The limit gets the garbage collection flags of ours, whether or not they help it. The others start as their guides recommend.
 */
export function serverFlags(name: AnyServerName, sameFlags: boolean): string[] {
  if (sameFlags || isOurs(name)) return readStartScript().flags
  return name.startsWith('limit') ? readStartScript().flags.filter((flag) => flag !== '--enable-source-maps') : []
}

function isOurs(name: AnyServerName): boolean {
  return name.startsWith('ours')
}
