import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, chown, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { cannotRun, copyPostgresBinaries, findPostgresBinaries, type PostgresBinaries } from './binaries.js'

/** As whom Postgres runs: it refuses to run as root, so root lends it another user. */
export type Account = { state: 'own' } | { state: 'lent'; uid: number; gid: number }

/** Where a cluster lies, what serves it, and as whom. */
export interface Place {
  home: string
  binaries: PostgresBinaries
  account: Account
}

interface PlaceOptions {
  dataDirectory: string
  /** Where root keeps what the user that Postgres runs as cannot reach in the project's own folders. */
  systemDirectory: string
  log: (message: string) => void
}

const run = promisify(execFile)

/** Finds a place that Postgres can enter: the project's folders, or for root, where these are closed to others, the system's. */
export async function findPlace({ dataDirectory, systemDirectory, log }: PlaceOptions): Promise<Place> {
  const binaries = await findPostgresBinaries()
  await mkdir(dataDirectory, { recursive: true })
  const folder = await realpath(dataDirectory)
  const account = await accountFor(join(folder, 'postgres'))
  const place = { account, binaries, home: join(folder, 'postgres') }

  if (!(await canEnter(account, binaries.postgres))) {
    await makeOpenFolder(systemDirectory)
    place.binaries = await copyPostgresBinaries(binaries, systemDirectory)
    log(`Postgres cannot run as root, and no other user can enter ${binaries.folder}: it runs from ${place.binaries.folder}`)
  }
  if (!(await canEnter(account, folder))) {
    place.home = join(await openFolderFor(folder, systemDirectory), 'postgres')
    log(`Postgres cannot run as root, and no other user can enter ${folder}: its data is in ${place.home}`)
  }
  return place
}

/** What to spread into the options of a child process. */
export function identityOf(account: Account): { uid?: number; gid?: number } {
  return account.state === 'own' ? {} : { uid: account.uid, gid: account.gid }
}

/** What root writes into a cluster must not lock out the user that it belongs to. */
export async function giveTo(account: Account, path: string): Promise<void> {
  if (account.state === 'lent') await chown(path, account.uid, account.gid)
}

/** The user of this process; for root the owner of the cluster that is there already, else the system's user `postgres`. */
async function accountFor(home: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { state: 'own' }
  const found = await stat(home).catch(() => undefined)
  if (found && found.uid !== 0) return { state: 'lent', uid: found.uid, gid: found.gid }
  return (await findSystemUser()) ?? (await createSystemUser())
}

async function findSystemUser(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])])
    return { state: 'lent', uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

async function createSystemUser(): Promise<Account> {
  const options = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin']
  const failure = await run('useradd', [...options, 'postgres']).then(
    () => undefined,
    (error: Error) => error,
  )
  // Another process may have created it a moment ago, so only what is there now counts.
  const created = await findSystemUser()
  if (created) return created
  throw cannotRun('it must not run as root, and a system user "postgres" could not be created', failure)
}

/** Whether the account may pass through the path and every folder above it. */
async function canEnter(account: Account, path: string): Promise<boolean> {
  if (account.state === 'own') return true
  const { mode, uid, gid } = await stat(path)
  const passage = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  if ((mode & passage) === 0) return false
  return dirname(path) === path || canEnter(account, dirname(path))
}

async function openFolderFor(folder: string, systemDirectory: string): Promise<string> {
  const substitute = join(systemDirectory, createHash('sha256').update(folder).digest('hex').slice(0, 16))
  await makeOpenFolder(systemDirectory)
  await makeOpenFolder(substitute)
  return substitute
}

/** Open to all users, whatever the umask. */
async function makeOpenFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  await chmod(path, 0o755)
}
