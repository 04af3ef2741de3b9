import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const script = resolve('tools/check-dependencies.ts')
const tsx = resolve('node_modules/tsx/dist/loader.mjs')

let folder: string
let registry: Server | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dependencies-check-'))
  const root = { name: 'shop', version: '1.0.0', dependencies: { run: '1.0.0' }, devDependencies: { build: '1.0.0' } }
  const lock = {
    ...{ name: 'shop', version: '1.0.0', lockfileVersion: 3, requires: true },
    packages: { '': root, 'node_modules/run': { version: '1.0.0' }, 'node_modules/build': { version: '1.0.0', dev: true } },
  }
  await writeFile(join(folder, 'package.json'), JSON.stringify(root))
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock))
})
afterEach(async () => {
  registry?.close()
  await rm(folder, { recursive: true, force: true })
})

/** Runs the check against a registry that knows these severities, or does not answer to audits. */
async function check(known: Record<string, string> | null): Promise<{ code: number; output: string }> {
  registry = createServer((request, response) => {
    const isAudit = request.method === 'POST' && request.url?.endsWith('/advisories/bulk')
    const advisory = ([name, severity]: [string, string]) => [
      name,
      [{ ...{ id: 1, title: 'It leaks', url: 'https://advisories.example/1', severity }, vulnerable_versions: '*', cwe: [] }],
    ]
    if (known && isAudit) response.end(JSON.stringify(Object.fromEntries(Object.entries(known).map(advisory))))
    else response.writeHead(isAudit ? 405 : 404).end('{}')
  }).listen(0, '127.0.0.1')
  await once(registry, 'listening')
  const { port } = registry.address() as { port: number }
  const env = {
    ...{ PATH: process.env.PATH, HOME: folder, npm_config_registry: `http://127.0.0.1:${port}/`, npm_config_fetch_retries: '0' },
    npm_config_cache: join(folder, 'cache'),
  }
  return new Promise((done) => {
    execFile(process.execPath, ['--import', tsx, script], { cwd: folder, env }, (error, stdout) => {
      done({ code: error ? Number(error.code) : 0, output: stdout })
    })
  })
}

test('a known fault that is high fails where users run the package, and is told', async () => {
  const { code, output } = await check({ run: 'high' })
  expect(output).toContain('high: run')
  expect(output).toContain('It leaks https://advisories.example/1')
  expect(code).toBe(1)
})

test('one that is moderate, or that only development has, is told and does not fail', async () => {
  const { code, output } = await check({ run: 'moderate', build: 'critical' })
  const [users = '', all = ''] = output.split('Dependencies with development')
  expect(users).toContain('moderate: run')
  expect(users).not.toContain('build')
  expect(all).toContain('critical: build')
  expect(code).toBe(0)
})

test('a registry that does not answer to audits is told, and does not fail', async () => {
  const { code, output } = await check(null)
  expect(output).toMatch(/for users: NOT LOOKED AT.*405/)
  expect(code).toBe(0)
})
