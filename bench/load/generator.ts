import { join } from 'node:path'
import process from 'node:process'
import { Child } from '../harness/child.js'
import type { CleanupStack } from '../harness/context.js'
import { onPath } from '../harness/on-path.js'
import { builtServers, root } from '../harness/prepare.js'

export interface LoadOptions {
  url: string
  connections: number
  seconds: number
  /** One request body per line */
  bodiesFile: string
  seed: number
}

export interface LoadResult {
  requests: number
  durationUs: number
  bytes: number
  p50Us: number
  p99Us: number
  /** Responses with status 400 or above, socket errors and timeouts */
  failed: number
}

export const generatorName = onPath('wrk') ? 'wrk' : 'autocannon'

/** Loads a server for `options.seconds`. Throws if any request fails. */
export async function load(cleanups: CleanupStack, options: LoadOptions): Promise<LoadResult> {
  const command = generatorName === 'wrk' ? wrk(options) : autocannon(options)
  const child = new Child({ name: generatorName, command, env: process.env })
  cleanups.push(() => child.stop())
  const output = await child.finish((options.seconds + 15) * 1_000)
  const result = JSON.parse(output.trim().split('\n').at(-1) as string) as LoadResult
  if (result.failed > 0) throw new Error(`${result.failed} of ${result.requests} requests to ${options.url} failed. ${output}`)
  return result
}

function wrk({ url, connections, seconds, bodiesFile, seed }: LoadOptions): string[] {
  const script = join(root, 'bench/load/wrk.lua')
  const settings = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--timeout', '5s']
  return ['wrk', ...settings, '--script', script, url, '--', bodiesFile, String(seed)]
}

function autocannon({ url, connections, seconds, bodiesFile, seed }: LoadOptions): string[] {
  const program = join(builtServers, 'autocannon.js')
  return [process.execPath, program, url, String(connections), String(seconds), bodiesFile, String(seed)]
}
