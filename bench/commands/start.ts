import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../tools/free-port.js'
import { Child } from '../harness/child.js'
import { Client } from '../harness/client.js'
import type { BenchContext } from '../harness/context.js'
import { buildProject, readStartScript, root } from '../harness/prepare.js'
import { requestBody } from '../harness/queries.js'
import { scratchFolder } from '../harness/shop.js'
import type { Options } from '../options.js'
import { writeSection } from '../report/write.js'

const timeoutMs = 60_000
const repeats = 5

/** Measures the time from the start until a query is answered: the first start, which creates the database, and later ones. */
export async function start({ quick }: Options, context: BenchContext): Promise<string> {
  await buildProject(context)
  const folder = await scratchFolder(context)
  const firstMs = await timeStart(context, folder)
  const laterMs: number[] = []
  while (laterMs.length < (quick ? 1 : repeats)) laterMs.push(await timeStart(context, folder))
  const { flags } = readStartScript()
  return writeSection('start', { firstMs, laterMs, command: ['node', ...flags, 'dist/main.js'].join(' ') }, { quick })
}

async function timeStart({ cleanups, print }: BenchContext, folder: string): Promise<number> {
  const { flags, entry } = readStartScript()
  const settings = { ...process.env, PORT: String(await freePort()), DATA_DIR: folder, DATABASE_URL: '', REDIS_URL: '' }
  const startedAt = performance.now()
  const child = new Child({ name: 'the project', command: [process.execPath, ...flags, entry], env: settings, cwd: root })
  cleanups.push(() => child.stop())
  const url = await child.find(/Ready: (?:open )?(http[^\s"]+)/, timeoutMs)
  const client = new Client(url, 1)
  await client.query(requestBody('Q1', 'product_1'))
  const tookMs = performance.now() - startedAt
  print(`answered after ${Math.round(tookMs)} ms`)
  client.close()
  await child.stop()
  // Lets the old processes end before the next start.
  await sleep(300)
  return tookMs
}
