import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, chown, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { cannotRunError, copyPostgresBinaries, findPostgresBinaries, type PostgresBinaries } from './binaries.js'

/** The OS user that Postgres runs as. Postgres refuses to run as root, so root starts it as another user. */
export type Account = { state: 'current' } | { state: 'other'; uid: number; gid: number }

/** The folder of a cluster, the binaries that run it and the OS user they run as */
export interface Installation {
  home: string
  binaries: PostgresBinaries
  account: Account
}

interface InstallationOptions {
  dataDirectory: string
  /** Used by root instead of those folders of the project that the OS user of Postgres cannot access */
  systemDirectory: string
  log: (message: string) => void
}

const run = promisify(execFile)

/**
 * Selects folders that Postgres can access. Root uses the system directory instead of project folders that are closed to other
 * users.
 */
export async function prepareInstallation({ dataDirectory, systemDirectory, log }: InstallationOptions): Promise<Installation> {
  const binaries = await findPostgresBinaries()
  await createFolder(resolve(dataDirectory))
  const folder = await realpath(dataDirectory)
  const account = await accountFor(join(folder, 'postgres'))
  const installation = { account, binaries, home: join(folder, 'postgres') }

  if (!(await canAccess(account, binaries.postgres))) {
    await makePublicFolder(systemDirectory)
    installation.binaries = await copyPostgresBinaries(binaries, systemDirectory)
    log(
      `Postgres cannot run as root, and no other user can access ${binaries.folder}: it runs from ${installation.binaries.folder}`,
    )
  }
  if (!(await canAccess(account, folder))) {
    installation.home = join(await substituteFolder(folder, systemDirectory), 'postgres')
    log(`Postgres cannot run as root, and no other user can access ${folder}: its data is in ${installation.home}`)
  }
  return installation
}

/** Options for a child process that runs as this account */
export function processOwner(account: Account): { uid?: number; gid?: number } {
  return account.state === 'current' ? {} : { uid: account.uid, gid: account.gid }
}

/** Makes a file that root wrote accessible to the user that Postgres runs as. */
export async function changeOwner(account: Account, path: string): Promise<void> {
  if (account.state === 'other') await chown(path, account.uid, account.gid)
}

/** Creates a folder and its missing parents one by one, because mkdir with `recursive` never returns for a folder in /proc. */
async function createFolder(path: string): Promise<void> {
  const isMissing = await stat(path).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT' && dirname(path) !== path,
  )
  if (isMissing) await createFolder(dirname(path))
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    if (!(await stat(path).catch(() => undefined))?.isDirectory()) throw error
  })
}

/** The user of this process. For root: the owner of an existing cluster, else the system user `postgres`. */
async function accountFor(home: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { state: 'current' }
  const found = await stat(home).catch(() => undefined)
  if (found && found.uid !== 0) return { state: 'other', uid: found.uid, gid: found.gid }
  return (await findSystemUser()) ?? (await createSystemUser())
}

async function findSystemUser(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])])
    return { state: 'other', uid: Number(uid.stdout), gid: Number(gid.stdout) }
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
  // Another process may have created the user at the same time, so check again whatever the outcome.
  const created = await findSystemUser()
  if (created) return created
  throw cannotRunError('it must not run as root, and a system user "postgres" could not be created', failure)
}

/** Whether the account has execute permission on the path and every folder above it. */
async function canAccess(account: Account, path: string): Promise<boolean> {
  if (account.state === 'current') return true
  const { mode, uid, gid } = await stat(path)
  const executeBit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001
  if ((mode & executeBit) === 0) return false
  return dirname(path) === path || canAccess(account, dirname(path))
}

async function substituteFolder(folder: string, systemDirectory: string): Promise<string> {
  const substitute = join(systemDirectory, createHash('sha256').update(folder).digest('hex').slice(0, 16))
  await makePublicFolder(systemDirectory)
  await makePublicFolder(substitute)
  return substitute
}

/** Creates a folder that all users can read, whatever the umask. */
async function makePublicFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  await chmod(path, 0o755)
}
