import { Cluster, Redis } from 'ioredis'
import { destroyOnResponseTimeout } from '../cache/response-timeout.js'
import {
  addCountsScript,
  addToBucketsScript,
  publishRemovalScript,
  removeMembersScript,
  type ScriptedClient,
  swapManyScript,
} from './redis-scripts.js'
import { type SentinelTarget, sentinelOptions } from './redis-sentinels.js'
import { socketOptions } from './redis-sockets.js'

/**
 * The address of a server, or of a cluster or a sentinel group. URLs are redis:// or rediss://. User, password and database
 * number are taken from the first URL. They apply to Redis servers only and are not sent to sentinels.
 */
export type RedisTarget =
  | { kind: 'server'; url: string }
  | { kind: 'cluster'; urls: readonly [string, ...string[]] }
  | ({ kind: 'sentinel' } & SentinelTarget)

export interface RedisClientOptions {
  target: RedisTarget
  /** Timeout of a command */
  commandTimeoutMs: number
  /** Called with each error that ends or prevents a connection. */
  onError: (error: Error) => void
}

export function createClient(options: RedisClientOptions): ScriptedClient {
  const client = createClientWithoutScripts(options)
  const { commandTimeoutMs } = options
  // A cluster client has one connection per node.
  if (client instanceof Cluster) client.on('+node', (node: Redis) => superviseConnection(node, commandTimeoutMs))
  else {
    superviseConnection(client, commandTimeoutMs)
    disconnectIfSelectFails(client)
  }
  client.defineCommand('swapMany', { lua: swapManyScript })
  client.defineCommand('addCounts', { lua: addCountsScript })
  client.defineCommand('addToBuckets', { lua: addToBucketsScript })
  client.defineCommand('removeMembers', { lua: removeMembersScript })
  client.defineCommand('publishRemoval', { lua: publishRemovalScript })
  return client as ScriptedClient
}

/** Disconnects if SELECT fails, because ioredis would continue in database 0, which may belong to another application. */
export function disconnectIfSelectFails(client: Redis): void {
  client.on('error', (error: Error & { command?: { name: string; args: string[] } }) => {
    if (error.command?.name !== 'select') return
    error.message = `database ${error.command.args[0]} cannot be selected: ${error.message}`
    client.disconnect(true)
  })
}

function superviseConnection(client: Redis, commandTimeoutMs: number): void {
  destroySilentConnections(client, commandTimeoutMs)
  ignoreRepeatedReconnects(client)
}

/**
 * Ignores calls of disconnect(true) while the socket is closing. ioredis makes one such call per READONLY reply, and each call
 * would add a listener and a timer.
 */
function ignoreRepeatedReconnects(client: Redis): void {
  const disconnect = client.disconnect.bind(client)
  client.disconnect = (reconnect) => {
    if (!reconnect || !client.stream?.writableEnded) disconnect(reconnect)
  }
}

/**
 * Destroys connections that no longer reply. Replaces the timeouts of ioredis, because after a stall of the process, ioredis
 * fails commands although their replies are already in the socket buffer.
 */
function destroySilentConnections(client: Redis, commandTimeoutMs: number): void {
  // On 'connect', ioredis has already sent the handshake, whose reply the timeout covers.
  client.on('connect', () =>
    destroyOnResponseTimeout(client.stream, maxSilentCommandTimeouts * commandTimeoutMs, performance.now()),
  )
}

function createClientWithoutScripts({ target, commandTimeoutMs, onError }: RedisClientOptions): Redis | Cluster {
  if (target.kind === 'cluster') return createCluster(target.urls, commandTimeoutMs, onError)
  if (target.kind === 'server') return new Redis(target.url, { ...connectionOptions, ...socketOptions([target.url], onError) })
  return new Redis(target.urls[0], { ...connectionOptions, ...sentinelOptions(target, commandTimeoutMs, onError) })
}

function createCluster(urls: readonly string[], commandTimeoutMs: number, onError: (error: Error) => void): Cluster {
  const { username, password } = new URL(urls[0] as string)
  const credentials = { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  const cluster = new Cluster([...urls], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    slotsRefreshTimeout: 4 * commandTimeoutMs,
    slotsRefreshInterval: 5_000,
    retryDelayOnFailover: 50,
    maxRedirections: 3,
    // Pass host names on unresolved, because TLS verifies certificates by name. The socket resolves the names.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: { ...connectionOptions, ...credentials, ...socketOptions(urls, onError) },
  })
  // Disables the subscriber connection of the cluster client, because it is unused, and would not use the sockets of
  // redis-sockets.ts.
  return Object.assign(cluster, { subscriber: { start: () => undefined, stop: () => undefined } })
}

export const connectTimeoutMs = 2_000

const connectionOptions = {
  lazyConnect: true,
  // Without a connection, commands fail immediately, because a queued command would delay the request that waits for it.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: connectTimeoutMs,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
  // A master that became a replica replies READONLY. Reconnect, because the address may lead to another server now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/** A connection is destroyed if it receives no reply for this many command timeouts. */
const maxSilentCommandTimeouts = 20
