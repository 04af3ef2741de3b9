import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
/** Every npm script that runs a TypeScript file of this repository, and the tools that are a part of another script */
const commands: [name: string, file: string][] = [
  ...Object.entries(scripts).flatMap(([name, command]): [string, string][] => {
    const file = /^tsx (\S+\.ts)$/.exec(command)?.[1]
    return file === undefined ? [] : [[name, file]]
  }),
  ['check', 'tools/check-imports.ts'],
  ['check', 'tools/check-words.ts'],
  ['prestart', 'tools/before-start.js'],
]

test.each(commands)('npm run %s -- --help prints the usage and does nothing else (%s)', async (name, file) => {
  const folder = await mkdtemp(join(tmpdir(), 'shop-help-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const tsx = pathToFileURL(resolve('node_modules/tsx/dist/esm/index.mjs')).href
  const env = { ...process.env, TSX_TSCONFIG_PATH: resolve('tsconfig.json') }
  const args = ['--import', tsx, resolve(file), '--help']
  // Rejects unless the exit code is 0.
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env, timeout: 60_000 })
  expect(stdout.split('\n')[0]).toMatch(new RegExp(`^Usage: npm run ${name}( |$)`))
  expect(await readdir(folder)).toEqual([])
})
