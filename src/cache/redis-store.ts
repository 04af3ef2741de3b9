import { Redis, ReplyError } from 'ioredis'
import { Breaker } from './breaker.js'
import { leaseMark } from './entry.js'
import { type CacheStore, type StoreInfo, StoreUnavailableError, type Swap, type SwapAnswer } from './store.js'

export interface RedisStoreOptions {
  /** redis:// or rediss://, with user, password and database number where they are needed */
  url: string
  connections: number
  /** A command without an answer by then is given up. */
  commandTimeoutMs: number
  /** How often the server is asked whether it is there; after an outage it is used again within this time. */
  healthIntervalMs: number
  log: (message: string) => void
}

/** Entries in a Redis (or Valkey) server. A server that is away makes its methods reject at once, not wait. */
export class RedisStore implements CacheStore {
  readonly backend = 'redis'
  private readonly clients: ScriptedRedis[]
  private readonly breaker = new Breaker(3)
  private nextClient = 0
  private healthTimer: NodeJS.Timeout | undefined
  private lastReport = ''

  constructor(private readonly options: RedisStoreOptions) {
    this.clients = Array.from({ length: options.connections }, () => createClient(options))
    for (const client of this.clients) this.watch(client)
  }

  async connect(): Promise<void> {
    // A refused first connection is retried in the background like a lost one.
    await Promise.all(this.clients.map((client) => client.connect().catch(() => undefined)))
    this.healthTimer = setInterval(() => void this.ping().catch(() => undefined), this.options.healthIntervalMs)
    this.healthTimer.unref()
  }

  async close(): Promise<void> {
    clearInterval(this.healthTimer)
    await Promise.all(this.clients.map((client) => client.quit().catch(() => client.disconnect())))
  }

  /** Also what closes an open breaker: this is the only command that is sent then. */
  async ping(): Promise<number> {
    const startedAt = performance.now()
    await this.observe(() => this.client().ping())
    return performance.now() - startedAt
  }

  readMany(keys: readonly string[]): Promise<(string | null)[]> {
    return this.run((client) => client.mget(keys as string[]))
  }

  async swapMany(swaps: readonly Swap[]): Promise<SwapAnswer[]> {
    const keys = swaps.map((swap) => swap.key)
    const replies = await this.run((client) => client.swapMany(keys.length, ...keys, ...swaps.flatMap(swapArguments)))
    return replies.map((reply) => (reply === 1 ? { swapped: true } : { swapped: false, held: reply }))
  }

  async removeMany(keys: readonly string[]): Promise<void> {
    await this.run((client) => client.unlink(keys as string[]))
  }

  async addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>): Promise<void> {
    await this.run((client) => client.addCounts(2, `{${key}}`, `{${key}}:${batchId}`, ...[...counts].flat()))
  }

  async readCounts(key: string): Promise<ReadonlyMap<string, number>> {
    const counts = await this.run((client) => client.hgetall(`{${key}}`))
    return new Map(Object.entries(counts).map(([name, count]) => [name, Number(count)]))
  }

  async info(): Promise<StoreInfo> {
    const [text, keys] = await this.run((client) => Promise.all([client.info(), client.dbsize()]))
    const number = (name: string) => {
      const value = infoField(text, name)
      return value === null ? null : Number(value)
    }
    return {
      version: infoField(text, 'valkey_version') ?? infoField(text, 'redis_version'),
      usedMemoryBytes: number('used_memory'),
      uptimeSeconds: number('uptime_in_seconds'),
      connectedClients: number('connected_clients'),
      keys,
    }
  }

  private watch(client: ScriptedRedis): void {
    client.on('error', (error: NodeJS.ErrnoException) => this.report(`cache server: ${error.message || error.code}`))
    client.on('close', () => this.report('cache server not connected'))
    client.on('ready', () => {
      this.report('cache server connected')
      void this.ping().catch(() => undefined)
    })
  }

  /** An outage repeats itself at every attempt to connect; one line for each thing that happened is enough. */
  private report(message: string): void {
    if (message === this.lastReport) return
    this.lastReport = message
    this.options.log(message)
  }

  private run<T>(command: (client: ScriptedRedis) => Promise<T>): Promise<T> {
    if (this.breaker.open) return Promise.reject(new StoreUnavailableError('the cache server does not answer'))
    return this.observe(() => command(this.client()))
  }

  private async observe<T>(command: () => Promise<T>): Promise<T> {
    try {
      const reply = await command()
      this.breaker.succeeded()
      return reply
    } catch (error) {
      // An error that the server sent is an answer: the server is there.
      if (error instanceof ReplyError) {
        this.breaker.succeeded()
        throw error
      }
      this.breaker.failed()
      throw new StoreUnavailableError('the cache server cannot be reached', { cause: error })
    }
  }

  private client(): ScriptedRedis {
    this.nextClient = (this.nextClient + 1) % this.clients.length
    return this.clients[this.nextClient] as ScriptedRedis
  }
}

type ScriptedRedis = Redis & {
  swapMany(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<(1 | string | null)[]>
  addCounts(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<unknown>
}

function createClient({ url, commandTimeoutMs }: RedisStoreOptions): ScriptedRedis {
  const client = new Redis(url, {
    lazyConnect: true,
    // Without a connection a command fails at once; queued, it would hold up its request.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2_000,
    socketTimeout: 20 * commandTimeoutMs,
    retryStrategy: (attempt) => Math.min(50 * attempt, 1_000),
    // A master that became a replica answers so: connect again, to where the address leads now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  client.defineCommand('swapMany', { lua: swapManyScript })
  client.defineCommand('addCounts', { lua: addCountsScript })
  return client as ScriptedRedis
}

function swapArguments({ when, value, ttlMs }: Swap): (string | number)[] {
  const expected = when.state === 'unleased' ? '' : (when.expected ?? '')
  return [when.state, expected, value, ttlMs === null ? '' : Math.max(1, Math.round(ttlMs))]
}

function infoField(text: string, name: string): string | null {
  return new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(text)?.[1] ?? null
}

/** A key of another type under our name counts as nothing, and is overwritten. */
const swapManyScript = `
local answers = {}
for i, key in ipairs(KEYS) do
  local state, expected, value, ttl = ARGV[i * 4 - 3], ARGV[i * 4 - 2], ARGV[i * 4 - 1], ARGV[i * 4]
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then held = false end
  local allowed
  if state == 'unleased' then
    allowed = not held or string.sub(held, 1, ${leaseMark.length}) ~= '${leaseMark}'
  elseif held then
    allowed = expected ~= '' and string.sub(held, 1, #expected) == expected
  else
    allowed = state == 'vacant'
  end
  if allowed and ttl == '' then
    redis.call('SET', key, value)
  elseif allowed then
    redis.call('SET', key, value, 'PX', ttl)
  end
  answers[i] = allowed and 1 or held
end
return answers`

/** The second key remembers the batch for as long as anybody may send it again. */
const addCountsScript = `
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', 60000) then
  for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
end`
