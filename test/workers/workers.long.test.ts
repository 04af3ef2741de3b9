import { once } from 'node:events'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../src/platform/database/connection.js'
import { isRunning } from '../../src/platform/database/embedded/process-identity.js'
import { freePort } from '../../tools/free-port.js'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { productChanged, subscriber, type TestSubscription, waitUntilSubscribed } from '../helpers/live.js'
import { noRedis, startRedis, type TestRedis } from '../helpers/redis.js'
import { until } from '../helpers/until.js'

/** Pids of the processes that have started to serve, in order, from the log */
function servers({ output }: BuiltServer): number[] {
  return [...output().matchAll(/"pid":(\d+),.*Server listening/g)].map(([, pid]) => Number(pid))
}

async function usersLookups(url: string): Promise<number> {
  const { data } = await query(url, '{ stats { caches { namespace hits misses } } }')
  const { hits, misses } = data.stats.caches.find(({ namespace }: { namespace: string }) => namespace === 'USERS')
  return hits + misses
}

/** A separate product per subscriber, so that the test event of one does not reach the other */
const ownProducts = [21, 22]
const document = '{ user(id: "user_1") { id } }'
const answer = { data: { user: { id: 'user_1' } } }

/** Sends requests on separate connections while a worker is frozen. It is sent one connection, and no other until it acknowledges that. */
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

interface Backends {
  redis: TestRedis
  database: TestDatabase
}

function startWorkers({ redis, database }: Backends, env: Record<string, string>): BuiltServer {
  const settings = { WORKERS: '2', REDIS_URL: redis.url, DATABASE_URL: database.url, AUDIT_INTERVAL_MS: '0' }
  return startBuiltServer({ ...settings, ...env })
}

async function untilServing(built: BuiltServer) {
  const url = await waitUntilReady(built)
  // Log lines of one process may arrive slightly later than output of another.
  await until(() => servers(built).length === 2)
  const pids = servers(built) as [number, number]
  expect(new Set(pids).size).toBe(2)
  expect(pids).not.toContain(built.child.pid)
  return { ...built, url, pids }
}

/** The pids of the workers, once both serve */
async function serving(primary: BuiltServer): Promise<[number, number]> {
  let pids: number[] = []
  await until(async () => {
    const areRunning = await Promise.all(servers(primary).map(isRunning))
    pids = servers(primary).filter((_, index) => areRunning[index])
    return pids.length === 2
  })
  return pids as [number, number]
}

describe.skipIf(noRedis)('two workers', () => {
  let redis: TestRedis
  let database: TestDatabase
  let started: BuiltServer[] = []
  /** Left by the test before, whatever happened to its workers: each server is three processes to start. */
  let left: Awaited<ReturnType<typeof startReady>> | undefined
  beforeAll(async () => {
    ;[redis, database] = await Promise.all([startRedis(), createDatabase()])
  })
  afterAll(async () => {
    left = undefined
    await stopOthers()
    await Promise.all([redis.stop(), database.drop()])
  })
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') left = undefined
    await stopOthers()
  })
  /** Stops all servers but the one that the next test uses. */
  const stopOthers = async () => {
    for (const { child, exited } of started.filter(({ child }) => child !== left?.child)) {
      child.kill('SIGTERM')
      await exited
    }
    started = started.filter(({ child }) => child === left?.child)
  }
  const start = (env: Record<string, string> = {}) => {
    const built = startWorkers({ redis, database }, env)
    started.push(built)
    return built
  }
  // With the same port after both were killed
  const startReady = async (env: Record<string, string> = {}) => untilServing(start({ PORT: String(await freePort()), ...env }))
  /** A server for a test that leaves it running */
  const running = async () => {
    left ??= await startReady()
    return { ...left, pids: await serving(left) }
  }
  /** A server for a test that ends it */
  const takeRunning = async () => {
    const primary = await running()
    left = undefined
    return primary
  }

  // The first test, because it counts from the start
  test('add their cache counters to the same totals', async () => {
    const { url, child, exited } = await startReady()
    const lookUp = async (from: number, to: number) => {
      const ids = Array.from({ length: to - from }, (_, index) => `user_${from + index}`)
      await Promise.all(ids.map((id) => query(url, `{ user(id: "${id}") { id } }`)))
    }
    // By round-robin, each gets half of the connections.
    await lookUp(1, 101)
    await lookUp(51, 201)
    await until(async () => (await usersLookups(url)) === 250)

    // The counters of both are stored when they have exited.
    child.kill('SIGTERM')
    await exited
    left = await startReady()
    expect(await usersLookups(left.url)).toBe(250)
  })

  test('serve one port, whose URL is printed once', async () => {
    const primary = await running()
    for (const pid of primary.pids) await askWithout(pid, primary.url, () => process.kill(pid, 'SIGCONT'))
    expect(primary.output().match(/Ready/g)).toHaveLength(1)
  })

  test('send events of changes made by the other; subscribers of a killed worker reconnect to the other', async () => {
    const { url, pids } = await running()
    const { origin } = new URL(url)
    // By round-robin, each gets one connection.
    const clients = ownProducts.map((id) => ({ id, client: subscriber({ origin }, 'WebSocket') }))
    const subscriptions = clients.map(({ id, client }) =>
      client.subscribe(productChanged, { ids: ['product_1', `product_${id}`] }),
    )
    for (const [index, { id }] of clients.entries())
      await waitUntilSubscribed({ database }, subscriptions[index] as TestSubscription, id)
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
    await waitUntilSubscribed({ database }, subscription, 3)
    again.close()
    for (const { client } of clients) client.close()
  })

  test('are two again after one was killed, without a failed request', async () => {
    const primary = await running()
    const [killed, survivor] = primary.pids
    const lives = servers(primary).length
    process.kill(killed, 'SIGKILL')
    let answers = 0
    await until(async () => {
      expect(await query(primary.url, document)).toEqual(answer)
      answers++
      return servers(primary).length > lives
    })
    expect(answers).toBeGreaterThan(1)
    const pids = await serving(primary)
    expect(pids).not.toContain(killed)
    expect(pids).toContain(survivor)
    for (const pid of pids) await askWithout(pid, primary.url, () => process.kill(pid, 'SIGCONT'))
  })

  test('answer a request whose connection was being sent to a worker when it was killed', async () => {
    const primary = await running()
    const [killed] = primary.pids
    await askWithout(killed, primary.url, () => process.kill(killed, 'SIGKILL'))
  })

  test('serve again after both were killed', async () => {
    const primary = await running()
    const lives = servers(primary).length
    for (const pid of primary.pids) process.kill(pid, 'SIGKILL')
    await until(() => servers(primary).length === lives + 2)
    expect(await query(primary.url, document)).toEqual(answer)
  })

  /** Sends each worker a mutation that waits for a lock. */
  async function blockMutations({ url }: { url: string }) {
    const locker = connect({ url: database.url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
    const lock = await locker.reserve()
    await lock`begin`
    await lock`update products set stock = 1 where id in (1, 2)`
    const waiting = async () => (await database.sql`select 1 from pg_locks where not granted`).length
    const change = (product: string) =>
      query(url, `mutation { updateProductStock(productId: "${product}", stock: 42) { product { stock } } }`)
    const answers: ReturnType<typeof query>[] = []
    // By round-robin, each worker gets one.
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
  ] as const)('finish requests in flight after $signal to $to, then the primary exits with 0', async ({ signal, group }) => {
    const primary = await takeRunning()
    const before = primary.output().length
    const { release } = await blockMutations(primary)
    process.kill(group ? -(primary.child.pid as number) : (primary.child.pid as number), signal)
    await until(() => primary.output().includes(signal))
    expect(await release()).toEqual([stocked, stocked])
    expect(await primary.exited).toBe(0)
    await ended(primary.pids)
    await expect(query(primary.url, '{ __typename }')).rejects.toThrow()
    expect(primary.output().match(/finishing/g)).toHaveLength(1)
    expect(primary.output().slice(before)).not.toContain('replacement')
  })

  test('that exit repeatedly are replaced after increasing delays', async () => {
    const primary = await startReady()
    left = primary
    for (const lives of [2, 3, 4]) {
      process.kill(servers(primary).at(-1) as number, 'SIGKILL')
      await until(() => servers(primary).length > lives)
    }
    const delays = [...primary.output().matchAll(/was ended by SIGKILL\. Its replacement starts in (\d+) ms/g)].map(([, ms]) =>
      Number(ms),
    )
    expect(delays).toEqual([100, 200, 400])
  })

  test('finish requests in flight and exit when the primary is killed', async () => {
    const primary = await takeRunning()
    const { release } = await blockMutations(primary)
    primary.child.kill('SIGKILL')
    await primary.exited
    await until(() =>
      query(primary.url, '{ __typename }').then(
        () => false,
        () => true,
      ),
    )
    expect(await release()).toEqual([stocked, stocked])
    await ended(primary.pids)
  })

  test('stop the embedded database when the primary is killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shop-workers-'))
    await chmod(folder, 0o755)
    const { child, pids } = await startReady({ DATABASE_URL: '', DATA_DIR: folder })
    const postgres = Number((await readFile(join(folder, 'postgres/data/postmaster.pid'), 'utf8')).split('\n')[0])
    expect(await isRunning(postgres)).toBe(true)
    child.kill('SIGKILL')
    await ended([...pids, postgres])
    await rm(folder, { recursive: true, force: true })
  })

  test('are not started if the port is in use; the error is reported once, and the primary exits with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const primary = start({ PORT: String(port) })
    expect(await primary.exited).toBe(1)
    expect(primary.output().match(/is in use/g)).toHaveLength(1)
    expect(primary.output()).toContain(`PORT ${port} is in use on 127.0.0.1`)
    other.close()
  })

  test('require Redis; otherwise the error is reported once, and the process exits with 1', async () => {
    const primary = start({ REDIS_URL: '' })
    expect(await primary.exited).toBe(1)
    expect(primary.output().match(/WORKERS is 2/g)).toHaveLength(1)
    expect(primary.output()).toContain('REDIS_URL')
  })
})
