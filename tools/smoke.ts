import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { readStartCommand } from './start-command.js'

const root = fileURLToPath(new URL('..', import.meta.url))

await main()

/** Builds, serves and tests with another version of Node, which comes out of the npm package `node`. Fails at the first thing that fails. */
async function main(): Promise<void> {
  const { node: version } = parseArgs({ options: { node: { type: 'string' } } }).values
  if (!version) throw new Error('Usage: npm run smoke -- --node VERSION, such as 22 or 20.19')
  const folder = await mkdtemp(join(tmpdir(), 'shop-smoke-'))
  try {
    // Postgres, which does not run as root, has to be able to enter it.
    await chmod(folder, 0o755)
    const env = await installNode(folder, version)
    await run('node', ['--version'], env)
    await run('npm', ['run', 'build'], env)
    await serve(folder, env)
    await run(
      'node',
      [
        'node_modules/vitest/vitest.mjs',
        'run',
        '--project',
        'quick',
        '--reporter',
        'dot',
        'packages/cached-resolvers/test/cache',
      ],
      env,
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Gives the environment in which `node` is that version. */
async function installNode(folder: string, version: string): Promise<NodeJS.ProcessEnv> {
  // Its script fetches the package with the binary of this platform.
  const manifest = { private: true, dependencies: { node: version }, allowScripts: { node: true } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await run('npm', ['install', '--no-audit', '--no-fund'], process.env, folder)
  return { ...process.env, PATH: `${join(folder, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` }
}

/** Asks the first query of the README, with a database of its own and away from a developer's .env. */
async function serve(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const settings = { PORT: '0', DATA_DIR: join(folder, 'data'), DATABASE_URL: '', REDIS_URL: '' }
  const [command, ...words] = readStartCommand(root)
  const args = words.map((word) => (word.startsWith('-') ? word : join(root, word)))
  const server = spawn(command, args, { cwd: folder, env: { ...env, ...settings }, stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(server, 'exit')
  let output = ''
  let isAsked = false
  for await (const chunk of server.stdout.setEncoding('utf8')) {
    output += chunk
    const [, url] = /Ready: open (\S+)/.exec(output) ?? []
    if (url === undefined || isAsked) continue
    isAsked = true
    await askReadmesQuery(url).finally(() => server.kill('SIGTERM'))
  }
  const [code] = await exited
  if (!isAsked || code !== 0) throw new Error(`The server ended with ${code}. Its output:\n${output}`)
}

async function askReadmesQuery(url: string): Promise<void> {
  const [, query = '', expected = ''] = /```graphql\n(.*?)```\n\n```json\n(.*?)```/s.exec(read('README.md')) ?? []
  const headers = { 'content-type': 'application/json', connection: 'close' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })
  const answer = await response.text()
  if (!isDeepStrictEqual(JSON.parse(answer), JSON.parse(expected))) throw new Error(`Not the answer of the README: ${answer}`)
  process.stdout.write(`answered: ${answer}`)
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = root): Promise<void> {
  const [code] = await once(spawn(command, args, { cwd, env, stdio: 'inherit' }), 'exit')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`)
}
