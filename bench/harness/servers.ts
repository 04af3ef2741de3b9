import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../tools/free-port.js'
import { Child } from './child.js'
import { builtServers, readStartScript } from './prepare.js'
import { type ServerName, serverNames } from './server-names.js'
import type { Shop } from './shop.js'
import type { World } from './stops.js'

export interface RunningServer {
  name: string
  url: string
  child: Child
}

export interface ServerOptions {
  shop: Shop
  /** What pins it to its core */
  prefix: readonly string[]
  sameFlags: boolean
  /** For the project's own server, beyond what it gets anyway */
  env?: Readonly<Record<string, string>>
}

const startPatienceMs = 20_000

/** Starts a server with a Redis database of its own; resolves when it says that it is ready. */
export async function startServer({ stops }: World, name: ServerName, options: ServerOptions): Promise<RunningServer> {
  const { entry, env } = isOurs(name) ? planOurs(name, options) : planPeer(name)
  const shared = {
    PATH: process.env.PATH,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    DATABASE_URL: options.shop.databaseUrl,
    REDIS_URL: `${options.shop.redis.url}/${serverNames.indexOf(name)}`,
  }
  const command = [...options.prefix, process.execPath, ...serverFlags(name, options.sameFlags), entry]
  // Away from a developer's .env
  const child = new Child({ name, command, env: { ...shared, ...env }, cwd: tmpdir() })
  stops.push(() => child.stop())
  return { name, child, url: await child.find(/(http:\/\/\S+)/, startPatienceMs) }
}

/** As `npm start` does. */
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

/** The limit has the flags for garbage that pay in ours, whether or not they pay there; the others start as their guides say. */
export function serverFlags(name: ServerName, sameFlags: boolean): string[] {
  if (sameFlags || isOurs(name)) return readStartScript().flags
  return name.startsWith('limit') ? readStartScript().flags.filter((flag) => flag !== '--enable-source-maps') : []
}

function isOurs(name: ServerName): boolean {
  return name.startsWith('ours')
}
