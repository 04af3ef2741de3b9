import { Cluster, Redis } from 'ioredis'
import { endWhenSilent } from '../cache/silence.js'
import {
  addCountsScript,
  addToBucketsScript,
  forgetMembersScript,
  publishRemovalScript,
  type ScriptedClient,
  swapManyScript,
} from './redis-scripts.js'
import { type SentinelTarget, sentinelOptions } from './redis-sentinels.js'
import { socketOptions } from './redis-sockets.js'

/**
 * Where the server is. Addresses are redis:// or rediss://; user, password and database number, where they are needed, stand in the
 * (first) one and are those of the server: a sentinel does not get to know them.
 */
export type RedisTarget =
  | { kind: 'server'; url: string }
  | { kind: 'cluster'; urls: readonly [string, ...string[]] }
  | ({ kind: 'sentinel' } & SentinelTarget)

export interface RedisClientOptions {
  target: RedisTarget
  /** A command without an answer by then is given up. */
  commandTimeoutMs: number
  /** Told of what ends a connection, or keeps it from being made. */
  failed: (error: Error) => void
}

export function createClient(options: RedisClientOptions): ScriptedClient {
  const client = createUnscripted(options)
  const { commandTimeoutMs } = options
  // Of a cluster, each node has a connection of its own.
  if (client instanceof Cluster) client.on('+node', (node: Redis) => superviseConnection(node, commandTimeoutMs))
  else {
    superviseConnection(client, commandTimeoutMs)
    endWithoutDatabase(client)
  }
  client.defineCommand('swapMany', { lua: swapManyScript })
  client.defineCommand('addCounts', { lua: addCountsScript })
  client.defineCommand('addToBuckets', { lua: addToBucketsScript })
  client.defineCommand('forgetMembers', { lua: forgetMembersScript })
  client.defineCommand('publishRemoval', { lua: publishRemovalScript })
  return client as ScriptedClient
}

/** ioredis goes on where SELECT was refused, in database 0: another application's. */
export function endWithoutDatabase(client: Redis): void {
  client.on('error', (error: Error & { command?: { name: string; args: string[] } }) => {
    if (error.command?.name !== 'select') return
    error.message = `database ${error.command.args[0]} is not to be had: ${error.message}`
    client.disconnect(true)
  })
}

function superviseConnection(client: Redis, commandTimeoutMs: number): void {
  endSilentConnections(client, commandTimeoutMs)
  reconnectOnce(client)
}

/** Each call of ioredis adds a listener and a timer until the socket has closed, and each of many commands may be answered with READONLY. */
function reconnectOnce(client: Redis): void {
  const disconnect = client.disconnect.bind(client)
  client.disconnect = (reconnect) => {
    if (!reconnect || !client.stream?.writableEnded) disconnect(reconnect)
  }
}

/** No timers of ioredis: they end what waits for an answer that already lies in the socket, when the process itself was stalled. */
function endSilentConnections(client: Redis, commandTimeoutMs: number): void {
  // The handshake has been sent by then.
  client.on('connect', () => endWhenSilent(client.stream, silentCommands * commandTimeoutMs, performance.now()))
}

function createUnscripted({ target, commandTimeoutMs, failed }: RedisClientOptions): Redis | Cluster {
  if (target.kind === 'cluster') return createCluster(target.urls, commandTimeoutMs, failed)
  if (target.kind === 'server') return new Redis(target.url, { ...connectionOptions, ...socketOptions([target.url], failed) })
  return new Redis(target.urls[0], { ...connectionOptions, ...sentinelOptions(target, commandTimeoutMs, failed) })
}

function createCluster(urls: readonly string[], commandTimeoutMs: number, failed: (error: Error) => void): Cluster {
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
    // A name is resolved by the socket, which needs it for TLS.
    dnsLookup: (host, callback) => callback(null, host),
    redisOptions: { ...connectionOptions, ...credentials, ...socketOptions(urls, failed) },
  })
  // Its connection to listen on is not used here, and would be one more with a socket of ioredis.
  return Object.assign(cluster, { subscriber: { start: () => undefined, stop: () => undefined } })
}

export const connectTimeoutMs = 2_000

const connectionOptions = {
  lazyConnect: true,
  // Without a connection a command fails at once; queued, it would hold up its request.
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  connectTimeout: connectTimeoutMs,
  retryStrategy: (attempt: number) => Math.min(50 * attempt, 1_000),
  // A master that became a replica answers so: connect again, to where the address leads now.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
}

/** A connection is given up when nothing was answered on it for as long as so many commands may take. */
const silentCommands = 20
