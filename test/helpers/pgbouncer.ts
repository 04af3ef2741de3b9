import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../tools/free-port.js'
import { findProgram } from './program.js'
import { until } from './until.js'

/** Path of the program; null (with a printed line) if it was not found and could not be installed */
export const pgbouncer = findPgbouncer()

function findPgbouncer(): string | null {
  const found = findProgram({ names: ['pgbouncer', '/usr/sbin/pgbouncer'], debian: 'pgbouncer', alpine: 'pgbouncer' })
  if (found !== null) return found
  if (process.env.CI === 'true') throw new Error(`PgBouncer was not found and could not be installed. ${howToInstall}`)
  process.stdout.write(`\nSKIPPED: the tests that need PgBouncer, because it was not found. ${howToInstall}\n`)
  return null
}

/** Starts a real PgBouncer with its defaults in front of this database. */
export async function startPgbouncer(databaseUrl: string, poolMode: 'session' | 'transaction') {
  const { hostname, port: databasePort, username, password, pathname } = new URL(databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'shop-pgbouncer-'))
  const port = await freePort()
  const [settings, users] = [join(folder, 'pgbouncer.ini'), join(folder, 'users.txt')]
  await writeFile(users, `"${username}" "${password}"\n`)
  await writeFile(
    settings,
    `[databases]
shop = host=${hostname} port=${databasePort} dbname=${pathname.slice(1)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_file = ${users}
pool_mode = ${poolMode}
`,
  )
  await chmod(folder, 0o755)
  // PgBouncer refuses to run as root.
  const userArgs = process.getuid?.() === 0 ? ['--user', 'nobody'] : []
  const child = spawn(pgbouncer as string, [...userArgs, '--quiet', settings], { stdio: ['ignore', 'ignore', 'inherit'] })
  const exited = once(child, 'exit')
  await until(() => accepts(port))
  return {
    url: `postgres://${username}:${password}@127.0.0.1:${port}/shop`,
    async stop() {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true })
    },
  }
}

const howToInstall = 'apt-get install pgbouncer (Debian, Ubuntu), apk add pgbouncer (Alpine), brew install pgbouncer (macOS)'

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const accepted = await once(socket, 'connect').then(
    () => true,
    () => false,
  )
  socket.destroy()
  return accepted
}
