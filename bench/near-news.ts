/**
 * What keeps the near stores of several processes right at the least price: the bus of RedisWatch, or Redis client tracking?
 * Every round runs all variants, one after the other, with the same sequence of reads and removals, each on a server of its own.
 *
 *   npx tsx bench/near-news.ts [--rounds 5] [--seconds 15] [--seed 1] [--soft-ttl-seconds 300]
 *
 * Counts and CPU time say more than wall time on a machine that does other work too.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Cache } from '../src/cache/cache.js'
import type { Namespace } from '../src/cache/namespace.js'
import { RedisStore, type RedisStoreOptions } from '../src/cache/redis-store.js'
import type { CacheStore, Watcher } from '../src/cache/store.js'
import { createTokenSource } from '../src/cache/token.js'
import { freePort } from '../torture/free-port.js'
import { Random } from '../torture/random.js'
import { RedisServer } from '../torture/redis-server.js'

const variants = {
  blind: 'A. no news: the near store is simply believed (wrong; what the work alone costs)',
  bus: 'B. bus (RedisWatch): numbered removals over pub/sub',
  broadcast: 'C. tracking, BCAST with PREFIX: every change, RESP3 push on a connection of its own',
  remembered: 'D. tracking, default mode with NOLOOP: changes of what was read, redirected to a RESP3 connection',
}
type Variant = keyof typeof variants

const processes = 3
const itemCount = 20_000
/** One in so many is not there at the beginning. */
const coldEvery = 10
const operationsPerSecond = 2_000
const removalShare = 0.01
const fetchMs = 2
const warmSeconds = 3
/** Each is removed once and touched by nothing else, so what is heard of it is the news of that removal. */
const probesPerSecond = 10
const heartbeatMs = 100
const root = 'news:v1'

// --- The watching process

interface Task {
  url: string
  variant: Variant
  index: number
  seed: number
  softTtlMs: number
  probeCount: number
}

interface WatcherReport {
  cpuMs: number
  operations: number
  removals: number
  messages: number
  keysTold: number
  emptied: number
  counts: Record<string, number>
  /** [probe, at], in milliseconds of a clock that all processes of the machine share */
  probesRemoved: [string, number][]
  probesHeard: [string, number][]
}

async function watchAndWork(task: Task): Promise<void> {
  const store = new MeasuredStore(storeOptions(task.url), task.variant)
  const cache = createCache(store, true)
  const { items, probes } = namespacesOf(task.softTtlMs)
  await cache.connect()
  await store.firstConfirmed
  // As after a long run: all that Redis holds was read here once.
  for (const ids of batches(idsOf(itemCount))) await cache.peekMany(items, ids)
  for (const ids of batches(idsOf(task.probeCount))) await cache.peekMany(probes, ids)
  tell('primed')
  await told('run')
  const work = new Work(cache, task)
  work.start()
  await told('measure')
  await cache.flushCounts()
  const before = snapshot(store, work)
  await told('stop')
  const after = snapshot(store, work)
  await work.stop()
  await cache.flushCounts()
  const counts = Object.fromEntries([...store.counts].map(([name, count]) => [name, count - (before.counts.get(name) ?? 0)]))
  tell<WatcherReport>({
    cpuMs: after.cpuMs - before.cpuMs,
    operations: after.operations - before.operations,
    removals: after.removals - before.removals,
    messages: after.messages - before.messages,
    keysTold: after.keysTold - before.keysTold,
    emptied: after.emptied - before.emptied,
    counts,
    probesRemoved: work.probesRemoved,
    probesHeard: [...store.probesHeard],
  })
  await cache.close()
  process.disconnect()
}

function snapshot({ messages, keysTold, emptied, counts }: MeasuredStore, { operations, removals }: Work) {
  const { user, system } = process.cpuUsage()
  return { cpuMs: (user + system) / 1000, operations, removals, messages, keysTold, emptied, counts: new Map(counts) }
}

/** Reads and removals at a fixed rate, the same for equal seeds: most of few items, few of most (zipf). */
class Work {
  operations = 0
  removals = 0
  readonly probesRemoved: [string, number][] = []
  private probesDue = 0
  private started = 0
  private readonly random: Random
  private readonly pick: () => string
  private readonly underWay = new Set<Promise<unknown>>()
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly cache: Cache,
    private readonly task: Task,
  ) {
    this.random = new Random(task.seed, `process ${task.index}`)
    this.pick = createZipf(this.random)
  }

  start(): void {
    this.started = performance.now()
    this.timer = setInterval(() => this.catchUp(), 10)
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    await Promise.all(this.underWay)
  }

  private catchUp(): void {
    const seconds = (performance.now() - this.started) / 1000
    for (; this.operations < seconds * operationsPerSecond; this.operations += 1) this.operate()
    for (; this.probesDue < Math.min(seconds * probesPerSecond, this.task.probeCount); this.probesDue += 1) this.probe()
  }

  private operate(): void {
    const { items } = namespacesOf(this.task.softTtlMs)
    const id = this.pick()
    const isRemoval = this.random.chance(removalShare)
    if (isRemoval) this.removals += 1
    this.track(isRemoval ? this.cache.invalidate(items, { ids: [id] }) : this.cache.getOrFetch(items, id, fetchItems))
  }

  /** The processes take turns. */
  private probe(): void {
    if (this.probesDue % processes !== this.task.index) return
    const id = String(this.probesDue)
    const { probes } = namespacesOf(this.task.softTtlMs)
    this.removals += 1
    this.probesRemoved.push([id, sharedClockMs()])
    this.track(this.cache.invalidate(probes, { ids: [id] }))
  }

  private track(work: Promise<unknown>): void {
    const done = work.finally(() => this.underWay.delete(done))
    this.underWay.add(done)
  }
}

/** A store whose news comes by one of the variants, and is counted. Only the bus pays for publishing. */
class MeasuredStore extends RedisStore {
  messages = 0
  keysTold = 0
  /** How often news was thought to be missing; nothing is broken here, so it should not be */
  emptied = 0
  readonly counts = new Map<string, number>()
  readonly probesHeard = new Map<string, number>()
  readonly firstConfirmed: Promise<void>
  private confirmed: () => void = () => {}

  constructor(
    options: RedisStoreOptions,
    private readonly variant: Variant,
  ) {
    super(options)
    this.firstConfirmed = new Promise((resolve) => {
      this.confirmed = resolve
    })
  }

  override async removeMany(keys: readonly string[]): Promise<void> {
    if (this.variant === 'bus') return super.removeMany(keys)
    await this.commands().unlink([...keys])
  }

  override async addCounts(key: string, batchId: string, counts: ReadonlyMap<string, number>): Promise<void> {
    for (const [name, count] of counts) this.counts.set(name, (this.counts.get(name) ?? 0) + count)
    await super.addCounts(key, batchId, counts)
  }

  override watch(watcher: Watcher): { stop: () => void } {
    const counting: Watcher = {
      removed: (keys) => this.hear(keys, watcher),
      missed: () => {
        this.emptied += 1
        watcher.missed()
      },
      lost: () => watcher.lost(),
      upToDate: (asOf) => {
        watcher.upToDate(asOf)
        this.confirmed()
      },
      now: () => watcher.now(),
    }
    if (this.variant === 'bus') return super.watch(counting)
    if (this.variant === 'blind') return every(heartbeatMs, () => counting.upToDate(watcher.now()))
    return this.watchByTracking(counting)
  }

  private hear(keys: readonly string[], watcher: Watcher): void {
    this.messages += 1
    this.keysTold += keys.length
    for (const key of keys) {
      const id = key.startsWith(probeKeyStart) ? key.slice(probeKeyStart.length) : undefined
      if (id !== undefined && !this.probesHeard.has(id)) this.probesHeard.set(id, sharedClockMs())
    }
    watcher.removed(keys)
  }

  /** As RedisWatch, it proves ten times a second, on the connection that carries the news, that all has arrived. */
  private watchByTracking(watcher: Watcher): { stop: () => void } {
    const { hostname, port } = new URL(storeUrl(this))
    const pushes = new PushConnection(connect(Number(port), hostname), (keys) =>
      keys ? watcher.removed(keys) : watcher.missed(),
    )
    const started = this.startTracking(pushes)
    const heartbeat = every(heartbeatMs, () => {
      const asOf = watcher.now()
      void started.then(() => pushes.send('PING')).then(() => watcher.upToDate(asOf))
    })
    return {
      stop: () => {
        heartbeat.stop()
        pushes.close()
      },
    }
  }

  private async startTracking(pushes: PushConnection): Promise<void> {
    await pushes.send('HELLO', '3')
    if (this.variant === 'broadcast') {
      await pushes.send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', `${root}:`)
      return
    }
    // No OPTIN: nearly every key that is read is kept near, and CLIENT CACHING YES would be one more command for each read.
    const id = String(await pushes.send('CLIENT', 'ID'))
    await this.commands().client('TRACKING', 'ON', 'REDIRECT', id, 'NOLOOP')
  }

  private commands() {
    // biome-ignore lint/complexity/useLiteralKeys: private, and the measurement may look
    const [client] = this['clients']
    if (!client || client.isCluster) throw new Error('measured with one connection to one server')
    return client
  }
}

/** ioredis 6 speaks RESP3 but drops the pushes of client tracking. This knows just enough of the protocol for them. */
class PushConnection {
  private text = ''
  private readonly waiting: ((reply: Reply) => void)[] = []

  constructor(
    private readonly socket: Socket,
    private readonly invalidated: (keys: string[] | null) => void,
  ) {
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.receive(text))
  }

  send(...words: string[]): Promise<Reply> {
    this.socket.write(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  private receive(text: string): void {
    this.text += text
    let at = 0
    for (let read = parse(this.text, at); read; read = parse(this.text, at)) {
      if (this.text[at] === '>') this.invalidated((read.reply as Reply[])[1] as string[] | null)
      else this.waiting.shift()?.(read.reply)
      at = read.end
    }
    this.text = this.text.slice(at)
  }
}

type Reply = string | null | Reply[]

/** undefined while the reply is not complete. */
function parse(text: string, at: number): { reply: Reply; end: number } | undefined {
  const lineEnd = text.indexOf('\r\n', at)
  if (lineEnd === -1) return undefined
  const [kind, line] = [text[at], text.slice(at + 1, lineEnd)]
  let end = lineEnd + 2
  if (kind === '-') throw new Error(`Redis answered: ${line}`)
  if (kind === '_') return { reply: null, end }
  if (kind === '$') {
    end += Number(line) + 2
    return end > text.length ? undefined : { reply: text.slice(lineEnd + 2, end - 2), end }
  }
  if (kind === undefined || !'*>%'.includes(kind)) return { reply: line, end }
  const reply: Reply[] = []
  for (let left = Number(line) * (kind === '%' ? 2 : 1); left > 0; left -= 1) {
    const part = parse(text, end)
    if (!part) return undefined
    reply.push(part.reply)
    end = part.end
  }
  return { reply, end }
}

// --- The measurement

interface Options {
  rounds: number
  seconds: number
  seed: number
  softTtlMs: number
}

/** One variant in one round; each per second of the measured time unless its name says otherwise. */
interface Figures {
  messagesPerRemoval: number
  keysToldPerRemoval: number
  watcherCpuMs: number
  redisCpuMs: number
  commands: number
  sentKb: number
  heardP50Ms: number
  heardP99Ms: number
  unheard: number
  emptiedPerMinute: number
  nearHitPercent: number
  missPercent: number
  redisMemoryMb: number
  operations: number
}

/** What else runs on the machine is much the same within a round, so differences say more than sums. */
type RoundFigures = Figures & { watcherNewsCpuMs: number; redisNewsCpuMs: number }

async function main(options: Options): Promise<void> {
  const names = Object.keys(variants) as Variant[]
  const figures = new Map<Variant, RoundFigures[]>(names.map((name) => [name, []]))
  for (let round = 0; round < options.rounds; round += 1) {
    let blind: Figures | undefined
    for (const variant of names) {
      const measured = await measure(variant, options, options.seed + round)
      blind ??= measured
      figures.get(variant)?.push({
        ...measured,
        watcherNewsCpuMs: measured.watcherCpuMs - blind.watcherCpuMs,
        redisNewsCpuMs: measured.redisCpuMs - blind.redisCpuMs,
      })
      process.stderr.write(`round ${round + 1} ${variant} ${JSON.stringify(measured)}\n`)
    }
  }
  console.log(table(figures, options))
}

async function measure(variant: Variant, options: Options, seed: number): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'near-news-'))
  const server = new RedisServer(await freePort(), folder)
  const watchers: ChildProcess[] = []
  try {
    await server.start()
    const probeCount = (warmSeconds + options.seconds) * probesPerSecond
    await prefill(server.url, options.softTtlMs, probeCount)
    for (let index = 0; index < processes; index += 1) {
      const task: Task = { ...{ url: server.url, variant, index, seed, probeCount }, softTtlMs: options.softTtlMs }
      watchers.push(fork(fileURLToPath(import.meta.url), ['--task', JSON.stringify(task)]))
    }
    await Promise.all(watchers.map((watcher) => once(watcher, 'message')))
    for (const watcher of watchers) watcher.send('run')
    await sleep(warmSeconds * 1000)
    const startedAt = sharedClockMs()
    for (const watcher of watchers) watcher.send('measure')
    const before = await readServer(server)
    await sleep(options.seconds * 1000)
    const after = await readServer(server)
    const reports = watchers.map((watcher) => once(watcher, 'message').then(([report]) => report as WatcherReport))
    for (const watcher of watchers) watcher.send('stop')
    return summarize(await Promise.all(reports), { before, after, startedAt, seconds: options.seconds })
  } finally {
    for (const watcher of watchers) if (watcher.exitCode === null) watcher.kill()
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Entries of all ages, so that refills come from the first second on as they do after hours. */
async function prefill(url: string, softTtlMs: number, probeCount: number): Promise<void> {
  let ageMs = 0
  const cache = createCache(new RedisStore(storeOptions(url)), false, () => Date.now() - ageMs)
  await cache.connect()
  const { items, probes } = namespacesOf(softTtlMs)
  const ids = idsOf(itemCount).filter((_, index) => index % coldEvery !== coldEvery - 1)
  // Every 60th together, so that items of all popularities are of all ages.
  for (let part = 0; part < 60; part += 1) {
    ageMs = (softTtlMs * 0.9 * part) / 60
    const its = ids.filter((_, index) => index % 60 === part)
    await cache.warmMany(items, its, fetchItems)
  }
  ageMs = 0
  await cache.warmMany(probes, idsOf(probeCount), fetchItems)
  await cache.close()
}

/** CPU from getrusage: finer than the hundredths of a second in /proc. */
async function readServer({ client }: RedisServer) {
  const info = await client.info('everything')
  const read = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return {
    cpuMs: 1000 * (read('used_cpu_user') + read('used_cpu_sys')),
    commands: read('total_commands_processed'),
    sentBytes: read('total_net_output_bytes'),
    memoryBytes: read('used_memory'),
  }
}

interface Frame {
  before: Awaited<ReturnType<typeof readServer>>
  after: Awaited<ReturnType<typeof readServer>>
  startedAt: number
  seconds: number
}

function summarize(reports: readonly WatcherReport[], { before, after, startedAt, seconds }: Frame): Figures {
  const total = (read: (report: WatcherReport) => number) => reports.reduce((sum, report) => sum + read(report), 0)
  const counted = (name: string) => total(({ counts }) => counts[`items.${name}`] ?? 0)
  const removals = total((report) => report.removals)
  const delays = probeDelays(reports, startedAt)
  const heard = delays.filter((delay) => delay !== undefined).sort((a, b) => a - b)
  return {
    messagesPerRemoval: total(({ messages }) => messages) / processes / removals,
    keysToldPerRemoval: total(({ keysTold }) => keysTold) / processes / removals,
    watcherCpuMs: total(({ cpuMs }) => cpuMs) / processes / seconds,
    redisCpuMs: (after.cpuMs - before.cpuMs) / seconds,
    commands: (after.commands - before.commands) / seconds,
    sentKb: (after.sentBytes - before.sentBytes) / 1000 / seconds,
    heardP50Ms: heard[Math.floor(heard.length * 0.5)] ?? Number.NaN,
    heardP99Ms: heard[Math.floor(heard.length * 0.99)] ?? Number.NaN,
    unheard: delays.length - heard.length,
    emptiedPerMinute: (60 * total(({ emptied }) => emptied)) / processes / seconds,
    nearHitPercent: (100 * counted('nearHits')) / (counted('hits') + counted('misses')),
    missPercent: (100 * counted('misses')) / (counted('hits') + counted('misses')),
    redisMemoryMb: after.memoryBytes / 1e6,
    operations: total(({ operations }) => operations) / seconds,
  }
}

/** For every probe removed and every other process: how long until that heard of it; undefined for never. */
function probeDelays(reports: readonly WatcherReport[], startedAt: number): (number | undefined)[] {
  const heardBy = reports.map(({ probesHeard }) => new Map(probesHeard))
  return reports.flatMap(({ probesRemoved }, remover) =>
    probesRemoved
      .filter(([, at]) => at >= startedAt)
      .flatMap(([id, at]) =>
        heardBy
          .filter((_, listener) => listener !== remover)
          .map((heard) => {
            const heardAt = heard.get(id)
            return heardAt === undefined ? undefined : heardAt - at
          }),
      ),
  )
}

function table(figures: ReadonlyMap<Variant, readonly RoundFigures[]>, { rounds, seconds, softTtlMs }: Options): string {
  const rows: [string, keyof RoundFigures, number][] = [
    ['messages to each watcher, per removal', 'messagesPerRemoval', 2],
    ['keys told to each watcher, per removal', 'keysToldPerRemoval', 2],
    ['CPU of a watcher, ms/s (with its work)', 'watcherCpuMs', 1],
    ['of that for the news: above blind in the same round', 'watcherNewsCpuMs', 1],
    ['CPU of Redis, ms/s', 'redisCpuMs', 1],
    ['of that for the news: above blind in the same round', 'redisNewsCpuMs', 1],
    ['commands of Redis, /s', 'commands', 0],
    ['sent by Redis, kB/s', 'sentKb', 0],
    ['memory of Redis, MB', 'redisMemoryMb', 1],
    ['removal to heard, p50 ms', 'heardP50Ms', 2],
    ['removal to heard, p99 ms', 'heardP99Ms', 2],
    ['removals never heard (of probes)', 'unheard', 0],
    ['near store emptied, per minute', 'emptiedPerMinute', 0],
    ['near hits, % of lookups', 'nearHitPercent', 2],
    ['misses, % of lookups', 'missPercent', 2],
    ['operations of all, /s', 'operations', 0],
  ]
  const columns = [...figures.values()]
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [
    ...Object.values(variants),
    '',
    `${processes} processes, ${itemCount} items, soft TTL ${softTtlMs / 1000} s; ${rounds} rounds of ${seconds} s: median (least to most)`,
    '',
    line(['', ...figures.keys()]),
    line(['---', ...columns.map(() => '---')]),
    ...rows.map(([title, name, digits]) => line([title, ...columns.map((its) => spread(its, name, digits))])),
  ].join('\n')
}

function spread(rounds: readonly RoundFigures[], name: keyof RoundFigures, digits: number): string {
  const sorted = rounds.map((figures) => figures[name]).sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] as number
  if (Number.isNaN(median)) return ''
  return `${median.toFixed(digits)} (${sorted[0]?.toFixed(digits)} to ${sorted.at(-1)?.toFixed(digits)})`
}

// --- What both need

interface Item {
  id: string
  name: string
  price: number
}

/** Long enough for probes never to become stale */
function namespacesOf(softTtlMs: number): { items: Namespace<Item>; probes: Namespace<Item> } {
  const items = { name: 'items', version: 1, softTtlMs, graceMs: 600_000, negativeTtlMs: 60_000 }
  return { items, probes: { ...items, name: 'probes', softTtlMs: 3_600_000 } }
}

async function fetchItems(ids: readonly string[]): Promise<Map<string, Item>> {
  await sleep(fetchMs)
  return new Map(ids.map((id) => [id, { id, name: `What is called item ${id}`, price: 19.99 }]))
}

function createCache(store: CacheStore, near: boolean, now: () => number = Date.now): Cache {
  return new Cache({
    store,
    prefix: root.split(':')[0] as string,
    version: root.split(':')[1] as string,
    namespaces: Object.values(namespacesOf(1)),
    near: near ? { maxBytes: 32_000_000, maxStalenessMs: 500 } : null,
    leaseMs: 10_000,
    leaseWaitMs: 1_000,
    fetches: { maxRunning: 20, maxRunMs: 60_000, maxWaiting: 500, maxWaitMs: 1_000 },
    createToken: createTokenSource(),
    now,
    sleep,
    random: Math.random,
  })
}

function storeOptions(url: string): RedisStoreOptions {
  return {
    ...{ urls: [url], cluster: false, connections: 1, channel: 'news:removals' },
    ...{ commandTimeoutMs: 1_000, healthIntervalMs: 1_000, log: () => {} },
  }
}

function storeUrl(store: RedisStore): string {
  // biome-ignore lint/complexity/useLiteralKeys: private, and the measurement may look
  return store['options'].urls[0]
}

/** The popularity of an item falls with its number: 1, 1/2, 1/3 and so on. */
function createZipf(random: Random): () => string {
  const sums = new Float64Array(itemCount)
  let sum = 0
  for (let index = 0; index < itemCount; index += 1) {
    sum += 1 / (index + 1)
    sums[index] = sum
  }
  return () => {
    const aim = random.next() * sum
    let [low, high] = [0, itemCount - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) < aim) low = middle + 1
      else high = middle
    }
    return String(low)
  }
}

function idsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index))
}

function batches(ids: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(ids.length / 500) }, (_, index) => ids.slice(500 * index, 500 * (index + 1)))
}

function every(ms: number, action: () => void): { stop: () => void } {
  const timer = setInterval(action, ms)
  action()
  return { stop: () => clearInterval(timer) }
}

/** CLOCK_MONOTONIC, the same in all processes */
function sharedClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function tell<Message>(message: Message): void {
  process.send?.(message)
}

async function told(message: string): Promise<void> {
  for (;;) {
    const [received] = await once(process, 'message')
    if (received === message) return
  }
}

const probeKeyStart = `${root}:probes:`

function readOptions(): { task: Task | undefined; options: Options } {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { task: text, rounds: text, seconds: text, seed: text, 'soft-ttl-seconds': text } })
  return {
    task: values.task === undefined ? undefined : (JSON.parse(values.task) as Task),
    options: {
      rounds: Number(values.rounds ?? 5),
      seconds: Number(values.seconds ?? 15),
      seed: Number(values.seed ?? 1),
      softTtlMs: 1000 * Number(values['soft-ttl-seconds'] ?? 300),
    },
  }
}

const { task, options } = readOptions()
await (task ? watchAndWork(task) : main(options))
