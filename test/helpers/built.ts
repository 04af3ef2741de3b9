import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { expect } from 'vitest'
import { longTimeouts } from './long-timeouts.js'
import { until } from './until.js'

/** The built server in a separate process, as `npm start` runs it */
export interface BuiltServer {
  child: ChildProcess
  output: () => string
  exited: Promise<number | null>
}

/** `stdout`: a file descriptor for the log, if the test does not read it from `output` */
export function startBuiltServer(env: Record<string, string>, stdout: 'pipe' | number = 'pipe'): BuiltServer {
  const { PATH, HOME } = process.env
  const child = spawn(process.execPath, ['--enable-source-maps', resolve('dist/main.js')], {
    // In another folder, so that it does not read a developer's .env file
    cwd: tmpdir(),
    stdio: ['ignore', stdout, 'pipe'],
    env: { PATH, HOME, PORT: '0', ...longTimeouts, ...env },
    // In a separate process group, as started from a terminal
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  return { child, output: () => output, exited: once(child, 'exit').then(([code]) => code) }
}

const ready = /Ready: (?:open )?(http[^\s"]+)/

/** Waits until the server is ready and returns its URL. */
export async function waitUntilReady({ output, child }: BuiltServer): Promise<string> {
  await until(() => ready.test(output()) || child.exitCode !== null)
  const url = ready.exec(output())?.[1]
  expect(url, output()).toBeDefined()
  return url as string
}

/** Sends a query on a new connection. */
export async function query(url: string, document: string, variables?: object) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: JSON.stringify({ query: document, variables }),
  })
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
  return (await response.json()) as { data: Record<string, any> }
}
