import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { cannotRunError, EmbeddedPostgresError, pathExists } from './binaries.js'
import { changeOwner, type Installation, processOwner } from './installation.js'
import { isRunning } from './process-identity.js'

/**
 * LC_ALL is set because locale names differ between systems, and because macOS requires it. TZ is set because initdb writes it
 * into the configuration.
 */
export const postgresEnvironment = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }

export const dataFolder = ({ home }: Installation) => join(home, 'data')
export const logFile = ({ home }: Installation) => join(home, 'postgres.log')

/**
 * Creates the cluster if it does not exist. The cluster is created under a temporary name and renamed when it is complete, so
 * that a cluster is never partial.
 */
export async function ensureCluster(
  installation: Installation,
  log: (message: string) => void,
  stopping?: AbortSignal,
): Promise<void> {
  await removeAbandonedDrafts(installation.home)
  if (!(await pathExists(installation.home))) {
    log(`Creating a Postgres cluster in ${installation.home}`)
    await createCluster({ ...installation, stopping })
  }
  await checkMajorVersion(installation)
}

export async function readPassword({ home }: Installation): Promise<string> {
  return readFile(join(home, 'password'), 'utf8')
}

interface ClusterCreation extends Installation {
  /** Aborts the creation; nothing of the cluster is left then. */
  stopping: AbortSignal | undefined
}

async function createCluster(installation: ClusterCreation): Promise<void> {
  const draft = { ...installation, home: `${installation.home}.new-${process.pid}-${randomUUID().slice(0, 8)}` }
  try {
    await createHome(draft)
    await initialize(draft)
    await createDatabase(draft)
    await rename(draft.home, installation.home)
  } catch (error) {
    // A program that was killed may have created a last file while the folder is being removed.
    await rm(draft.home, { recursive: true, force: true, maxRetries: 10 })
    // If two processes create the cluster at the same time, the slower process uses the cluster of the faster one.
    if (!(await pathExists(installation.home))) throw error
  }
}

async function createHome({ home, account }: Installation): Promise<void> {
  const passwordFile = join(home, 'password')
  await mkdir(home, { mode: 0o700 })
  await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 })
  await Promise.all([home, passwordFile].map((path) => changeOwner(account, path)))
}

/** The built-in locale is the same on every system: it sorts by code point, and lower() supports all of Unicode. */
function initialize(installation: ClusterCreation): Promise<void> {
  return runProgram(installation, installation.binaries.initdb, [
    ...['-D', dataFolder(installation)],
    ...['--username=shop', `--pwfile=${join(installation.home, 'password')}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ...['--no-sync', '--no-instructions'],
  ])
}

/** Uses single-user mode before the rename, so that a complete cluster always has its database. */
function createDatabase(installation: ClusterCreation): Promise<void> {
  const options = ['--single', '-F', '-D', dataFolder(installation), '-c', 'exit_on_error=true', 'postgres']
  return runProgram(installation, installation.binaries.postgres, options, 'create database shop\n')
}

/**
 * Runs a program in a process group of its own: Ctrl+C in the terminal must only reach the API, which decides what it stops. An abort
 * kills the whole group, as initdb runs Postgres in further processes.
 */
async function runProgram(
  { home, account, stopping }: ClusterCreation,
  program: string,
  options: string[],
  input = '',
): Promise<void> {
  stopping?.throwIfAborted()
  const child = spawn(program, options, {
    ...{ cwd: home, env: postgresEnvironment, detached: true, windowsHide: true },
    stdio: ['pipe', 'ignore', 'pipe'],
    ...processOwner(account),
  })
  const kill = () => killGroup(child)
  stopping?.addEventListener('abort', kill)
  child.stdin.on('error', () => {}).end(input)
  try {
    const [stderr, [code, signal]] = await Promise.all([text(child.stderr), once(child, 'close')])
    stopping?.throwIfAborted()
    if (code !== 0) throw cannotRunError(`${basename(program)} failed: ${stderr.trim() || `exit code ${code}, signal ${signal}`}`)
  } catch (error) {
    // The kernel also returns ENOENT if the program exists but its dynamic loader does not.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw cannotRunError('its binaries need the C library glibc (Alpine Linux has musl)', error)
  } finally {
    stopping?.removeEventListener('abort', kill)
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

async function checkMajorVersion({ home, binaries }: Installation): Promise<void> {
  const found = await readFile(join(home, 'data', 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => error)
  const expected = binaries.version.split('.')[0]
  const problem = typeof found === 'string' ? versionProblem(found.trim(), expected) : versionFileProblem(found)
  if (problem) throw new EmbeddedPostgresError(`${home} ${problem}. ${remedies}`)
}

const remedies =
  'Delete that folder to start with an empty database, set DATA_DIR to another folder, or set DATABASE_URL to a Postgres of your own.'

function versionProblem(found: string, expected: string | undefined): string | undefined {
  return found === expected ? undefined : `was created by Postgres ${found}, which Postgres ${expected} cannot read`
}

function versionFileProblem({ code }: NodeJS.ErrnoException): string {
  return code === 'EACCES' ? 'belongs to another user' : 'is not a complete Postgres cluster'
}

/** Removes temporary clusters of processes that were killed while creating them. */
async function removeAbandonedDrafts(home: string): Promise<void> {
  const prefix = `${basename(home)}.new-`
  for (const name of await readdir(dirname(home))) {
    const pid = name.startsWith(prefix) && Number.parseInt(name.slice(prefix.length), 10)
    if (pid && !(await isRunning(pid))) await rm(join(dirname(home), name), { recursive: true, force: true })
  }
}
