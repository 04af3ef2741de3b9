import { Agent, request } from 'node:http'
import { mintToken } from '../../src/platform/auth/mint-token.js'
import type { BenchContext } from '../harness/context.js'
import { type CostRequest, type CostShape, costShapes } from '../harness/cost-shapes.js'
import { buildProject, expectRedisServer } from '../harness/prepare.js'
import { startServer } from '../harness/servers.js'
import { openShop } from '../harness/shop.js'
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

/** Measures the points and the CPU time of requests of every shape. */
export async function cost({ quick }: Options, context: BenchContext): Promise<string> {
  expectRedisServer()
  await buildProject(context)
  const shop = await openShop(context)
  const limits = {
    RATE_LIMIT: '999999999',
    MAX_COST: '5000',
    LOG_LEVEL: 'error',
    AUDIT_INTERVAL_MS: '0',
    AUTH_JWT_SECRET: secret,
  }
  const server = await startServer(context, 'ours-near', { shop, prefix: [], sameFlags: false, env: limits })
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
  await warmUp(target)
  const rows: CostRow[] = []
  for (const shape of costShapes) {
    const row = await measure(target, shape, quick)
    rows.push(row)
    context.print(`${shape.name}: ${row.points.toFixed(1)} points, ${row.cpuMs.toFixed(2)} ms`)
  }
  target.agent.destroy()
  return writeSection('cost', rows, { quick })
}

/** Lets V8 compile the code before the measurement. */
async function warmUp(target: Target): Promise<void> {
  for (const shape of costShapes)
    await sendAll(target, shape, 0, Math.min(warmUps, shape.maxCold ?? warmUps, shape.max ?? warmUps))
}

async function measure(target: Target, shape: CostShape, quick: boolean): Promise<CostRow> {
  const count = Math.min(quick ? 20 : 1_000, shape.maxCold ?? 1_000, shape.max ?? 1_000)
  // The requests before `from` were sent as warm-up.
  const from = shape.maxCold ? 0 : warmUps
  if (shape.maxCold) await flush(target)
  const pointsBefore = await readPoints(target)
  const before = cpuOf(target)
  await sendAll(target, shape, from, count)
  const cpuMs = (cpuOf(target) - before) / count
  return { shape: shape.name, requests: count, points: ((await readPoints(target)) - pointsBefore) / count, cpuMs }
}

function cpuOf({ pid }: Target): number {
  const usage = readUsage(pid)
  if (!usage) throw new Error('The CPU time is read from /proc, which this system does not have.')
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

/** Resolves with the response body; for an event stream with an empty text as soon as it starts. */
function send(
  { url, agent, headers }: Target,
  { query, variables, body, path, headers: extraHeaders }: CostRequest,
): Promise<string> {
  const text = body ?? (query === undefined ? undefined : JSON.stringify({ query, variables }))
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path ?? '/graphql', url), {
      agent,
      method: text === undefined ? 'GET' : 'POST',
      headers: { ...headers, ...extraHeaders, ...(text !== undefined && { 'content-length': Buffer.byteLength(text) }) },
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
