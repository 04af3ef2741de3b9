import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CommandResult, CommandRun } from './processes/run-commands.js'

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
/** Every npm script that runs a file of this repository, except the server: its name and its file */
const commands: [name: string, file: string][] = [
  ...Object.entries(scripts).flatMap(([name, command]): [string, string][] => {
    const file = /^(?:exec )?tsx (\S+\.ts)$/.exec(command)?.[1]
    return file === undefined ? [] : [[name, file]]
  }),
  ['check', 'tools/check-imports.ts'],
  ['check', 'tools/check-words.ts'],
  ['prestart', 'tools/before-start.js'],
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-help-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Rejects unless the exit code is 0. */
function run(file: string, ...args: string[]) {
  const tsx = pathToFileURL(resolve('node_modules/tsx/dist/esm/index.mjs')).href
  const env = { ...process.env, TSX_TSCONFIG_PATH: resolve('tsconfig.json') }
  const settings = { cwd: folder, env, timeout: 60_000 }
  return promisify(execFile)(process.execPath, ['--import', tsx, resolve(file), ...args], settings)
}

function expectUsage(name: string, text: string | undefined): void {
  expect(text).toMatch(new RegExp(`^Usage: npm (run )?${name}( |$)`, 'm'))
}

function expectRefusal(name: string, { stderr, code }: { stderr: string; code: number }): void {
  expect(stderr).toMatch(/^Unknown option '--no-such-option'/)
  expectUsage(name, stderr)
  expect(code).toSatisfy((value) => value === 1 || value === 2)
}

test.each([
  ['start', 'dist/main.js'],
  ['dev', 'tools/dev.js'],
])('npm run %s prints the usage for --help and unknown options, and starts no server', async (_, file) => {
  const refused = run(file, '--no-such-option').catch((error) => error)
  expectUsage('start', (await run(file, '--help')).stdout.split('\n')[0])
  expectRefusal('start', await refused)
  expect(await readdir(folder)).toEqual([])
})

/** By file, then by option */
let results: Record<string, Record<string, CommandResult>>
beforeAll(async () => {
  const runs = commands.flatMap(([name, file]) => optionsOf(name).map((option): CommandRun => [file, option]))
  // Ends by itself: no command leaves anything running.
  const { stdout } = await run('test/tools/processes/run-commands.ts', JSON.stringify(runs))
  results = JSON.parse(stdout)
})

/** All options of test:busy but this one are for vitest. */
const optionsOf = (name: string) => (name === 'test:busy' ? ['--help'] : ['--help', '--no-such-option'])

test.each(commands)('npm run %s prints the usage for --help and unknown options, and does nothing else (%s)', (name, file) => {
  const { '--help': help, '--no-such-option': refused } = results[file] ?? {}
  expect(help).toMatchObject({ code: 0, files: [] })
  expectUsage(name, help?.stdout.split('\n')[0])
  if (name === 'test:busy') return
  expectRefusal(name, refused as CommandResult)
  expect(refused?.files).toEqual([])
})
