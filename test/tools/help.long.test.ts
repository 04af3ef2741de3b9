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
/** Every npm script that runs a file of this repository: its name, its file, and the name in its usage */
const commands: [name: string, file: string, usage?: string][] = [
  ...Object.entries(scripts).flatMap(([name, command]): [string, string][] => {
    const file = /^(?:exec )?tsx (\S+\.ts)$/.exec(command)?.[1]
    return file === undefined ? [] : [[name, file]]
  }),
  ['check', 'tools/check-imports.ts'],
  ['check', 'tools/check-words.ts'],
  ['prestart', 'tools/before-start.js'],
  ['start', 'src/main.ts'],
  ['dev', 'tools/dev.js', 'start'],
]

test.each(commands)(
  'npm run %s prints the usage for --help and unknown options, and does nothing else (%s)',
  async (name, file, named = name) => {
    const folder = await mkdtemp(join(tmpdir(), 'shop-help-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const tsx = pathToFileURL(resolve('node_modules/tsx/dist/esm/index.mjs')).href
    const env = { ...process.env, TSX_TSCONFIG_PATH: resolve('tsconfig.json') }
    const run = (option: string) =>
      promisify(execFile)(process.execPath, ['--import', tsx, resolve(file), option], { cwd: folder, env, timeout: 60_000 })
    const usage = new RegExp(`^Usage: npm (run )?${named}( |$)`, 'm')
    // All options of test:busy are for vitest.
    const refusal =
      name === 'test:busy' ? null : run('--no-such-option').catch((error: { code: number; stderr: string }) => error)
    // Rejects unless the exit code is 0.
    const { stdout } = await run('--help')
    expect(stdout.split('\n')[0]).toMatch(usage)
    const refused = await refusal
    if (refused) {
      expect(refused.stderr).toMatch(/^Unknown option '--no-such-option'/)
      expect(refused.stderr).toMatch(usage)
      expect(refused).toMatchObject({ code: expect.toSatisfy((code) => code === 1 || code === 2) })
    }
    expect(await readdir(folder)).toEqual([])
  },
)
