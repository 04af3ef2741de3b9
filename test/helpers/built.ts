import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { expect } from 'vitest'
import { farDeadlines } from './deadlines.js'
import { until } from './until.js'

/** The built product in a process of its own, as `npm start` runs it. */
export interface Built {
  child: ChildProcess
  output: () => string
  exited: Promise<number | null>
}

/** `stdout`: where its log goes, where that is not to be read */
export function runBuilt(env: Record<string, string>, stdout: 'pipe' | number = 'pipe'): Built {
  const { PATH, HOME } = process.env
  const child = spawn(process.execPath, ['--enable-source-maps', resolve('dist/main.js')], {
    // Away from a developer's .env
    cwd: tmpdir(),
    stdio: ['ignore', stdout, 'pipe'],
    env: { PATH, HOME, PORT: '0', ...farDeadlines, ...env },
    // A process group of its own, as a terminal gives to what it runs
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  return { child, output: () => output, exited: once(child, 'exit').then(([code]) => code) }
}

/** Gives the address once it serves. */
export async function ready({ output, child }: Built): Promise<string> {
  await until(() => /Ready: open \S+/.test(output()) || child.exitCode !== null)
  const url = /Ready: open (\S+)/.exec(output())?.[1]
  expect(url, output()).toBeDefined()
  return url as string
}

/** On a connection of its own */
export async function query(url: string, document: string, variables?: object) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ query: document, variables }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
  return (await response.json()) as { data: Record<string, any> }
}
