import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { runCommand } from '../src/commands/run-command.js'
import { readStartCommand } from './start-command.js'

const root = fileURLToPath(new URL('..', import.meta.url))

const usage = `Usage: npm run smoke -- --node VERSION [--node VERSION ...]
Builds, serves and tests with other versions of Node, such as 22 or 20.19, from the npm package node. Stops at the first failure.`

process.exitCode = await runCommand({ usage, readOptions, run: smoke })

function readOptions() {
  const { node: versions = [], help } = parseArgs({
    options: { node: { type: 'string', multiple: true }, help: { type: 'boolean', default: false } },
  }).values
  if (versions.length === 0 && !help) throw new Error('--node is required.')
  return { versions, help }
}

async function smoke({ versions }: ReturnType<typeof readOptions>): Promise<number> {
  const folders = await Promise.all(versions.map(() => mkdtemp(join(tmpdir(), 'shop-smoke-'))))
  try {
    const environments = await allEnded(folders.map((folder, index) => installNode(folder, versions[index] as string)))
    // One after another, because all versions build into the same folder.
    for (const env of environments) {
      await run('node', ['--version'], env)
      await run('npm', ['run', 'build'], env)
    }
    await allEnded(environments.map((env, index) => serveAndTest(folders[index] as string, env)))
    return 0
  } finally {
    await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
  }
}

/** Like Promise.all(), but waits until all have ended, so that nothing still runs after a failure. */
async function allEnded<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

async function serveAndTest(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  await serve(folder, env)
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'quick', '--reporter', 'dot']
  await run('node', [...vitest, 'packages/cached-resolvers/test/cache'], env)
}

/** Installs this version of Node in the folder. Returns the environment in which `node` is that version. */
async function installNode(folder: string, version: string): Promise<NodeJS.ProcessEnv> {
  // Postgres does not run as root and needs access to the folder.
  await chmod(folder, 0o755)
  // The install script of the package fetches the binary for this platform.
  const manifest = { private: true, dependencies: { node: version }, allowScripts: { node: true } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await run('npm', ['install', '--no-audit', '--no-fund'], process.env, folder)
  return { ...process.env, PATH: `${join(folder, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` }
}

/** Starts the server with a separate database and without a developer's .env file, and sends the first query of the README. */
async function serve(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const settings = { PORT: '0', DATA_DIR: join(folder, 'data'), DATABASE_URL: '', REDIS_URL: '' }
  const [command, ...startArgs] = readStartCommand(root)
  const args = startArgs.map((arg) => (arg.startsWith('-') ? arg : join(root, arg)))
  const server = spawn(command, args, { cwd: folder, env: { ...env, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(server, 'exit')
  let output = ''
  let isQueried = false
  for await (const chunk of server.stdout.setEncoding('utf8')) {
    output += chunk
    const [, url] = /Ready: (?:open )?(http[^\s"]+)/.exec(output) ?? []
    if (url === undefined || isQueried) continue
    isQueried = true
    await sendReadmeQuery(url).finally(() => server.kill('SIGTERM'))
  }
  const [code] = await exited
  if (!isQueried || code !== 0) throw new Error(`The server ended with ${code}. Its output:\n${output}`)
}

async function sendReadmeQuery(url: string): Promise<void> {
  const [, query = '', expected = ''] = /```graphql\n(.*?)```\n\n```json\n(.*?)```/s.exec(read('README.md')) ?? []
  const headers = { 'content-type': 'application/json', connection: 'close' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
  const answer = await response.text()
  if (!isDeepStrictEqual(JSON.parse(answer), JSON.parse(expected)))
    throw new Error(`The answer differs from the README: ${answer}`)
  process.stdout.write(`answered: ${answer}`)
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = root): Promise<void> {
  const [code] = await once(spawn(command, args, { cwd, env, stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`)
}
