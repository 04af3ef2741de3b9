import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import process from 'node:process'
import { expect, test } from 'vitest'
import { waitUntilReady } from './helpers/built.js'
import { createDatabase } from './helpers/database.js'
import { longTimeouts } from './helpers/long-timeouts.js'

/** `script` of util-linux runs a command in a pseudo-terminal. Its version on macOS has other options. */
const noScript = !spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux')

test.skipIf(noScript).each([
  ['with colours', {}, true],
  ['without colours, if NO_COLOR is set', { NO_COLOR: '1' }, false],
])('in a terminal of 80 columns, the start fits, and Ctrl+C ends the server cleanly: %s', async (_, env, hasColours) => {
  const database = await createDatabase()
  const { PATH, HOME } = process.env
  const settings = { PATH, HOME, TERM: 'xterm', PORT: '0', DATABASE_URL: database.url, ...longTimeouts, ...env }
  const command = `exec '${process.execPath}' '${resolve('dist/main.js')}'`
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: tmpdir(), env: settings })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const exited = once(child, 'exit')
  await waitUntilReady({ child, output: () => output, exited: exited.then(([code]) => code) })
  // What the terminal sends for Ctrl+C
  child.stdin.write('\x03')
  expect((await exited)[0], output).toBe(0)
  await database.drop()

  const [log = '', summary = ''] = output.split('Ready: ')
  expect(log.includes('\x1b[33mWARN')).toBe(hasColours)
  expect(summary).toContain('Access')
  for (const line of summary.split('\r\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  // Only the signal is reported after it.
  expect(summary.split('^C')[1]?.trim()).toBe('SIGINT: finishing requests in flight')
})
