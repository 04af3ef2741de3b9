import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connect } from '../../src/platform/database/connection.js'
import { isRunning } from '../../src/platform/database/embedded/live-process.js'
import { freePort } from '../../tools/free-port.js'
import { type Built, query, ready, runBuilt } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { begun, productChanged, subscriber, type TestSubscription } from '../helpers/live.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

/** The processes that have begun to serve, in this order; the log names them. */
function servers({ output }: Built): number[] {
  return [...output().matchAll(/"pid":(\d+),.*Server listening/g)].map(([, pid]) => Number(pid))
}

async function usersLookups(url: string): Promise<number> {
  const { data } = await query(url, '{ stats { caches { namespace hits misses } } }')
  const { hits, misses } = data.stats.caches.find(({ namespace }: { namespace: string }) => namespace === 'USERS')
  return hits + misses
}

/** Of products of their own, so that finding out whether one is heard tells the other nothing */
const ownProducts = [21, 22]
const document = '{ user(id: "user_1") { id } }'
const answer = { data: { user: { id: 'user_1' } } }

/** Asks on connections of their own while a worker is frozen: it was handed one, and gets no other before it has taken that. */
async function askWithout(frozen: number, url: string, thaw: () => void): Promise<void> {
  process.kill(frozen, 'SIGSTOP')
  let answered = 0
  const answers = Array.from({ length: 10 }, async () => {
    expect(await query(url, document)).toEqual(answer)
    answered++
  })
  await until(() => answered === 9)
  thaw()
  await Promise.all(answers)
}

async function ended(pids: readonly number[]): Promise<void> {
  await until(async () => (await Promise.all(pids.map(isRunning))).every((running) => !running))
}

describe.skipIf(noRedis)('two workers', () => {
  let redis: TestRedis
  let database: TestDatabase
  let started: Built[]
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  beforeEach(async () => {
    await redis.client.flushall()
    database = await createDatabase()
    started = []
  })
  afterEach(async () => {
    for (const { child, exited } of started) {
      child.kill('SIGTERM')
      await exited
    }
    await database.drop()
  })
  const start = (env: Record<string, string> = {}) => {
    const its = runBuilt({ WORKERS: '2', REDIS_URL: redis.url, DATABASE_URL: database.url, AUDIT_INTERVAL_MS: '0', ...env })
    started.push(its)
    return its
  }
  const startReady = async (env: Record<string, string> = {}) => {
    const its = start(env)
    const url = await ready(its)
    // A line of the log may come a little later than what was written by another process.
    await until(() => servers(its).length === 2)
    const pids = servers(its) as [number, number]
    expect(new Set(pids).size).toBe(2)
    expect(pids).not.toContain(its.child.pid)
    return { ...its, url, pids }
  }

  test('answer on one port, whose address is told once', async () => {
    const { url, pids, output } = await startReady()
    for (const pid of pids) await askWithout(pid, url, () => process.kill(pid, 'SIGCONT'))
    expect(output().match(/Ready/g)).toHaveLength(1)
  })

  test('count what each of them looks up into the same sums', async () => {
    const { url, child, exited } = await startReady()
    const lookUp = async (from: number, to: number) => {
      const ids = Array.from({ length: to - from }, (_, index) => `user_${from + index}`)
      await Promise.all(ids.map((id) => query(url, `{ user(id: "${id}") { id } }`)))
    }
    // In turn, they get half of the connections each.
    await lookUp(1, 101)
    await lookUp(51, 201)
    await until(async () => (await usersLookups(url)) === 250)

    // What both of them counted is on record when they have ended.
    child.kill('SIGTERM')
    await exited
    expect(await usersLookups(await ready(start()))).toBe(250)
  })

  test('each tell their subscribers of what the other changed, and those of one that was killed find the other', async () => {
    const { url, pids } = await startReady()
    const { origin } = new URL(url)
    // In turn, they get one connection each.
    const clients = ownProducts.map((id) => ({ id, client: subscriber({ origin }, 'WebSocket') }))
    const subscriptions = clients.map(({ id, client }) =>
      client.subscribe(productChanged, { ids: ['product_1', `product_${id}`] }),
    )
    for (const [index, { id }] of clients.entries()) await begun({ database }, subscriptions[index] as TestSubscription, id)
    for (const stock of [1, 2]) {
      await query(url, `mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { id } } }`)
      for (const subscription of subscriptions) {
        const results = await subscription.take(stock)
        expect(results.map(({ data }) => data.productChanged.product.stock)).toEqual([1, 2].slice(0, stock))
      }
    }

    process.kill(pids[0], 'SIGKILL')
    await until(() => subscriptions.some(({ end }) => end.state !== 'open'))
    expect(subscriptions.map(({ end }) => end.state).sort()).toEqual(['failed', 'open'])
    const again = subscriber({ origin }, 'WebSocket')
    const subscription = again.subscribe(productChanged, { ids: ['product_3'] })
    await begun({ database }, subscription, 3)
    again.close()
    for (const { client } of clients) client.close()
  })

  test('are two again after one was killed, and no request fails meanwhile', async () => {
    const its = await startReady()
    process.kill(its.pids[0], 'SIGKILL')
    let answers = 0
    await until(async () => {
      expect(await query(its.url, document)).toEqual(answer)
      answers++
      return servers(its).length === 3
    })
    expect(answers).toBeGreaterThan(10)
    const [, survivor, replacement] = servers(its) as [number, number, number]
    expect(its.pids).not.toContain(replacement)
    for (const pid of [survivor, replacement]) await askWithout(pid, its.url, () => process.kill(pid, 'SIGCONT'))
  })

  test('answer what was on its way to one that was killed before it took it', async () => {
    const { url, pids } = await startReady()
    await askWithout(pids[0], url, () => process.kill(pids[0], 'SIGKILL'))
  })

  test('that die again and again are replaced ever later', async () => {
    const its = await startReady()
    for (const lives of [2, 3, 4]) {
      process.kill(servers(its).at(-1) as number, 'SIGKILL')
      await until(() => servers(its).length > lives)
    }
    const delays = [...its.output().matchAll(/was ended by SIGKILL, another one starts in (\d+) ms/g)].map(([, ms]) => Number(ms))
    expect(delays).toEqual([100, 200, 400])
  })

  test('that both died serve again', async () => {
    const its = await startReady({ PORT: String(await freePort()) })
    for (const pid of its.pids) process.kill(pid, 'SIGKILL')
    await until(() => servers(its).length === 4)
    expect(await query(its.url, document)).toEqual(answer)
  })

  /** Gives each worker a mutation that waits for a lock. */
  async function holdUp({ url }: { url: string }) {
    const locker = connect({ url: database.url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
    const lock = await locker.reserve()
    await lock`begin`
    await lock`update products set stock = 1 where id in (1, 2)`
    const waiting = async () => (await database.sql`select 1 from pg_locks where not granted`).length
    const change = (product: string) =>
      query(url, `mutation { updateProductStock(productId: "${product}", stock: 42) { product { stock } } }`)
    const answers: ReturnType<typeof query>[] = []
    // In turn, each worker gets one.
    for (const product of ['product_1', 'product_2']) {
      answers.push(change(product))
      await until(async () => (await waiting()) === answers.length)
    }
    return {
      async release() {
        await lock`commit`
        lock.release()
        await locker.end()
        return Promise.all(answers)
      },
    }
  }
  const stocked = { data: { updateProductStock: { product: { stock: 42 } } } }

  test.each([
    { signal: 'SIGTERM', to: 'the primary', group: false },
    { signal: 'SIGTERM', to: 'all processes, as service managers do', group: true },
    { signal: 'SIGINT', to: 'all processes, as a terminal does', group: true },
  ] as const)('finish what is in flight after $signal to $to, then it exits with 0', async ({ signal, group }) => {
    const its = await startReady()
    const { release } = await holdUp(its)
    process.kill(group ? -(its.child.pid as number) : (its.child.pid as number), signal)
    await until(() => its.output().includes(signal))
    expect(await release()).toEqual([stocked, stocked])
    expect(await its.exited).toBe(0)
    await ended(its.pids)
    await expect(query(its.url, '{ __typename }')).rejects.toThrow()
    expect(its.output().match(/finishing/g)).toHaveLength(1)
    expect(its.output()).not.toContain('another one starts')
  })

  test('finish what is in flight and end when the primary is killed', async () => {
    const its = await startReady()
    const { release } = await holdUp(its)
    its.child.kill('SIGKILL')
    await its.exited
    await until(() =>
      query(its.url, '{ __typename }').then(
        () => false,
        () => true,
      ),
    )
    expect(await release()).toEqual([stocked, stocked])
    await ended(its.pids)
  })

  test('end the embedded database with them when the primary is killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shop-workers-'))
    await chmod(folder, 0o755)
    const { child, pids } = await startReady({ DATABASE_URL: '', DATA_DIR: folder })
    const postgres = Number((await readFile(join(folder, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])
    expect(await isRunning(postgres)).toBe(true)
    child.kill('SIGKILL')
    await ended([...pids, postgres])
    await rm(folder, { recursive: true, force: true })
  })

  test('are not started where the first finds its port in use, which is said once, and it exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const its = start({ PORT: String(port) })
    expect(await its.exited).toBe(1)
    expect(its.output().match(/EADDRINUSE/g)).toHaveLength(1)
    expect(its.output()).toContain(String(port))
    other.close()
  })

  test('need a Redis: without one that is said once, and it exits with 1', async () => {
    const its = start({ REDIS_URL: '' })
    expect(await its.exited).toBe(1)
    expect(its.output().match(/WORKERS is 2/g)).toHaveLength(1)
    expect(its.output()).toContain('REDIS_URL')
  })
})
