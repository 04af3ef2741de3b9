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
 * Where the server is. URLs are redis:// or rediss://. User, password and database number, if needed, are taken from the (first)
 * URL and apply to the server; they are not sent to sentinels.
 */
export type RedisTarget =
  | { kind: 'server'; url: string }
  | { kind: 'cluster'; urls: readonly [string, ...string[]] }
  | ({ kind: 'sentinel' } & SentinelTarget)

export interface RedisClientOptions {
  target: RedisTarget
  /** Timeout of a command */
  commandTimeoutMs: number
  /** Called with the errors that end a connection or prevent it. */
  onError: (error: Error) => void
}

export function createClient(options: RedisClientOptions): ScriptedClient {
  const client = createUnscripted(options)
  const { commandTimeoutMs } = options
  // A cluster client has one connection per node.
  if (client instanceof Cluster) client.on('+node', (node: Redis) => superviseConnection(node, commandTimeoutMs))
  else {
    superviseConnection(client, commandTimeoutMs)
    endWithoutDatabase(client)
  }
  client.defineCommand('swapMany', { lua: swapManyScript })
  client.defineCommand('addCounts', { lua: addCountsScript })
  client.defineCommand('addToBuckets', { lua: addToBucketsScript })
  client.defineCommand('removeMembers', { lua: removeMembersScript })
  client.defineCommand('publishRemoval', { lua: publishRemovalScript })
  return client as ScriptedClient
}

/** Disconnects if SELECT fails: ioredis would continue in database 0, which may belong to another application. */
export function endWithoutDatabase(client: Redis): void {
  client.on('error', (error: Error & { command?: { name: string; args: string[] } }) => {
    if (error.command?.name !== 'select') return
    error.message = `database ${error.command.args[0]} cannot be selected: ${error.message}`
    client.disconnect(true)
  })
}

function superviseConnection(client: Redis, commandTimeoutMs: number): void {
  endSilentConnections(client, commandTimeoutMs)
  reconnectOnce(client)
}

/**
 * Ignores further reconnect calls until the socket has closed: each would add a listener and a timer, and ioredis makes one per
 * READONLY reply.
 */
function reconnectOnce(client: Redis): void {
  const disconnect = client.disconnect.bind(client)
  client.disconnect = (reconnect) => {
    if (!reconnect || !client.stream?.writableEnded) disconnect(reconnect)
  }
}

/**
 * Replaces the timeouts of ioredis: after a stall of the process, these fail commands whose replies already are in the socket
 * buffer.
 */
function endSilentConnections(client: Redis, commandTimeoutMs: number): void {
  // Registered on connect, after ioredis has sent the handshake.
  client.on('connect', () =>
    destroyOnResponseTimeout(client.stream, maxSilentCommandTimeouts * commandTimeoutMs, performance.now()),
  )
}

function createUnscripted({ target, commandTimeoutMs, onError }: RedisClientOptions): Redis | Cluster {
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
    // The socket resolves the name, which it also needs for TLS.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: { ...connectionOptions, ...credentials, ...socketOptions(urls, onError) },
  })
  // Disables the subscriber connection of the cluster client: it is unused, and its socket would be one of ioredis.
  return Object.assign(cluster, { subscriber: { start: () => undefined, stop: () => undefined } })
}

export const connectTimeoutMs = 2_000

const connectionOptions = {
  lazyConnect: true,
  // Without a connection, a command fails at once; a queued one would delay its request.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: connectTimeoutMs,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
  // A master that became a replica replies READONLY: reconnect to the server that the address leads to now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/** A connection without any reply for this many command timeouts is closed. */
const maxSilentCommandTimeouts = 20
