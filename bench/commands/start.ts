import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../tools/free-port.js'
import { Child } from '../harness/child.js'
import { Client } from '../harness/client.js'
import { buildProject, readStartScript, root } from '../harness/prepare.js'
import { requestBody } from '../harness/queries.js'
import { scratchFolder } from '../harness/shop.js'
import type { World } from '../harness/stops.js'
import type { Options } from '../options.js'
import { writeSection } from '../report/write.js'

const patienceMs = 60_000
const repeats = 5

/** How long a start takes until a query is answered: the first, which makes the database, and later ones. */
export async function start({ quick }: Options, world: World): Promise<string> {
  await buildProject(world)
  const folder = await scratchFolder(world)
  const firstMs = await timeStart(world, folder)
  const laterMs: number[] = []
  while (laterMs.length < (quick ? 1 : repeats)) laterMs.push(await timeStart(world, folder))
  const { flags } = readStartScript()
  return writeSection('start', { firstMs, laterMs, command: ['node', ...flags, 'dist/main.js'].join(' ') }, { quick })
}

async function timeStart({ stops, print }: World, folder: string): Promise<number> {
  const { flags, entry } = readStartScript()
  const settings = { ...process.env, PORT: String(await freePort()), DATA_DIR: folder, DATABASE_URL: '', REDIS_URL: '' }
  const startedAt = performance.now()
  const child = new Child({ name: 'the project', command: [process.execPath, ...flags, entry], env: settings, cwd: root })
  stops.push(() => child.stop())
  const url = await child.find(/Ready: open (http:\/\/\S+)/, patienceMs)
  const client = new Client(url, 1)
  await client.query(requestBody('Q1', 'product_1'))
  const tookMs = performance.now() - startedAt
  print(`answered after ${Math.round(tookMs)} ms`)
  client.close()
  await child.stop()
  // What is left of it should not be in the way of the next.
  await sleep(300)
  return tookMs
}
