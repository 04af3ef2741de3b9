import { Agent, request } from 'node:http'
import { mintToken } from '../../src/platform/auth/mint-token.js'
import { type CostRequest, type CostShape, costShapes } from '../harness/cost-shapes.js'
import { buildProject, expectRedisServer } from '../harness/prepare.js'
import { startServer } from '../harness/servers.js'
import { openShop } from '../harness/shop.js'
import type { World } from '../harness/stops.js'
import { readUsage } from '../harness/usage.js'
import type { Options } from '../options.js'
import type { CostRow } from '../report/results.js'
import { writeSection } from '../report/write.js'

const secret = 'a secret for the benchmark, long enough for HS256'
const namespaces = ['USERS', 'PRODUCTS', 'ORDERS', 'PRODUCT_LISTS', 'USER_ORDERS', 'STATS']
const concurrency = 4
const warmUps = 20

interface Target {
  url: string
  pid: number
  agent: Agent
  headers: Record<string, string>
}

/** What requests of every shape cost in points, and in CPU of the server's process. */
export async function cost({ quick }: Options, world: World): Promise<string> {
  expectRedisServer()
  await buildProject(world)
  const shop = await openShop(world)
  const limits = {
    RATE_LIMIT: '999999999',
    MAX_COST: '5000',
    LOG_LEVEL: 'error',
    AUDIT_INTERVAL_MS: '0',
    AUTH_JWT_SECRET: secret,
  }
  const server = await startServer(world, 'ours-near', { shop, prefix: [], sameFlags: false, env: limits })
  const token = await mintToken({
    secret,
    role: 'admin',
    issuer: undefined,
    audience: undefined,
    userId: undefined,
    expiresIn: '1h',
  })
  const target: Target = {
    url: server.url,
    pid: server.child.pid,
    agent: new Agent({ keepAlive: true, maxSockets: concurrency }),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
  }
  await heat(target)
  const rows: CostRow[] = []
  for (const shape of costShapes) {
    const row = await measure(target, shape, quick)
    rows.push(row)
    world.print(`${shape.name}: ${row.points.toFixed(1)} points, ${row.cpuMs.toFixed(2)} ms`)
  }
  target.agent.destroy()
  return writeSection('cost', rows, { quick })
}

/** A process that has just started computes what it does the first times slowly. */
async function heat(target: Target): Promise<void> {
  for (const shape of costShapes) await sendAll(target, shape, 0, Math.min(warmUps, shape.cold ?? warmUps, shape.most ?? warmUps))
}

async function measure(target: Target, shape: CostShape, quick: boolean): Promise<CostRow> {
  const count = Math.min(quick ? 20 : 1_000, shape.cold ?? 1_000, shape.most ?? 1_000)
  // Those before were sent to make the process warm.
  const from = shape.cold ? 0 : warmUps
  if (shape.cold) await flush(target)
  const pointsBefore = await readPoints(target)
  const before = cpuOf(target)
  await sendAll(target, shape, from, count)
  const cpuMs = (cpuOf(target) - before) / count
  return { shape: shape.name, requests: count, points: ((await readPoints(target)) - pointsBefore) / count, cpuMs }
}

function cpuOf({ pid }: Target): number {
  const usage = readUsage(pid)
  if (!usage) throw new Error('What a process computes is read from /proc, which is not here.')
  return usage.cpuUs / 1_000
}

async function sendAll(target: Target, shape: CostShape, from: number, count: number): Promise<void> {
  let next = from
  const work = async () => {
    while (next < from + count) {
      const index = next
      next += 1
      await send(target, shape.request(index))
    }
  }
  await Promise.all(Array.from({ length: concurrency }, work))
}

/** Gives the body; of a stream nothing, as soon as it begins. */
function send({ url, agent, headers }: Target, { query, variables, body, path, headers: others }: CostRequest): Promise<string> {
  const text = body ?? (query === undefined ? undefined : JSON.stringify({ query, variables }))
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path ?? '/graphql', url), {
      agent,
      method: text === undefined ? 'GET' : 'POST',
      headers: { ...headers, ...others, ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }) },
    })
    sent.on('error', reject)
    sent.on('response', (response) => {
      if (response.headers['content-type']?.startsWith('text/event-stream')) {
        sent
          .off('error', reject)
          .on('error', () => undefined)
          .destroy()
        return resolve('')
      }
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    sent.end(text)
  })
}

async function readPoints(target: Target): Promise<number> {
  const metrics = await send(target, { path: '/metrics' })
  return Number(/^graphql_cost_points_total (\S+)$/m.exec(metrics)?.[1])
}

async function flush(target: Target): Promise<void> {
  for (const namespace of namespaces)
    await send(target, { query: `mutation { flushCache(namespace: ${namespace}) { namespace } }` })
}
