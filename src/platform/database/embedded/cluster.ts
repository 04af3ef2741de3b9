import { type ExecFileException, execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { cannotRun, isThere } from './binaries.js'
import { isRunning } from './live-process.js'
import { giveTo, identityOf, type Place } from './place.js'

/** LC_ALL: the names of locales differ between systems, and macOS wants one set. TZ: initdb writes it into the configuration. */
export const postgresEnvironment = { ...process.env, LC_ALL: 'C', TZ: 'UTC' }

export const dataFolder = ({ home }: Place) => join(home, 'data')
export const logFile = ({ home }: Place) => join(home, 'postgres.log')

/** Makes the cluster unless it is there. It appears by a rename when it is complete: no half-made one can be taken for it. */
export async function ensureCluster(place: Place, log: (message: string) => void): Promise<void> {
  await removeAbandonedDrafts(place.home)
  if (!(await isThere(place.home))) {
    log(`Creating a Postgres cluster in ${place.home}`)
    await createCluster(place)
  }
  await checkMajorVersion(place)
}

export async function readPassword({ home }: Place): Promise<string> {
  return readFile(join(home, 'password'), 'utf8')
}

async function createCluster(place: Place): Promise<void> {
  const draft = { ...place, home: `${place.home}.new-${process.pid}-${randomUUID().slice(0, 8)}` }
  try {
    await createHome(draft)
    await initialize(draft)
    await createDatabase(draft)
    await rename(draft.home, place.home)
  } catch (error) {
    await rm(draft.home, { recursive: true, force: true })
    // Of two processes that start at once the slower one uses the cluster of the other.
    if (!(await isThere(place.home))) throw error
  }
}

async function createHome({ home, account }: Place): Promise<void> {
  const passwordFile = join(home, 'password')
  await mkdir(home, { mode: 0o700 })
  await writeFile(passwordFile, randomBytes(24).toString('hex'), { mode: 0o600 })
  await Promise.all([home, passwordFile].map((path) => giveTo(account, path)))
}

/** The built-in locale is the same on every system: order by code point, and lower() knows all of Unicode. */
function initialize(place: Place): Promise<void> {
  return runProgram(place, place.binaries.initdb, [
    ...['-D', dataFolder(place)],
    ...['--username=shop', `--pwfile=${join(place.home, 'password')}`, '--auth=scram-sha-256'],
    ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
    ...['--no-sync', '--no-instructions'],
  ])
}

/** In single-user mode, so that a cluster never lacks its database, whatever happens after the rename. */
function createDatabase(place: Place): Promise<void> {
  const options = ['--single', '-F', '-D', dataFolder(place), '-c', 'exit_on_error=true', 'postgres']
  return runProgram(place, place.binaries.postgres, options, 'create database shop\n')
}

function runProgram({ home, account }: Place, program: string, options: string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const environment = { cwd: home, env: postgresEnvironment, ...identityOf(account) }
    const child = execFile(program, options, environment, (error, _stdout, stderr) => {
      if (error) reject(cannotRun(whyFailed(program, error, stderr), error))
      else resolve()
    })
    child.stdin?.on('error', () => {}).end(input)
  })
}

function whyFailed(program: string, error: ExecFileException, stderr: string): string {
  // The kernel says that of a program that is there when the loader that it asks for is not.
  if (error.code === 'ENOENT') return 'its binaries need the C library glibc (Alpine Linux has musl)'
  return `${basename(program)} failed: ${stderr.trim() || error.message}`
}

async function checkMajorVersion({ home, binaries }: Place): Promise<void> {
  const found = await readFile(join(home, 'data', 'PG_VERSION'), 'utf8').catch((error: NodeJS.ErrnoException) => error)
  const wanted = binaries.version.split('.')[0]
  const fault = typeof found === 'string' ? faultOfVersion(found.trim(), wanted) : faultOfFile(found)
  if (fault) throw new Error(`${home} ${fault}. ${waysOut}`)
}

const waysOut =
  'Delete that folder to start with an empty database, set DATA_DIR to another folder, or set DATABASE_URL to a Postgres of your own.'

function faultOfVersion(found: string, wanted: string | undefined): string | undefined {
  return found === wanted ? undefined : `was made by Postgres ${found}, which Postgres ${wanted} cannot read`
}

function faultOfFile({ code }: NodeJS.ErrnoException): string {
  return code === 'EACCES' ? 'belongs to another user' : 'is not a complete Postgres cluster'
}

/** A process that was killed while it made a cluster leaves its draft. */
async function removeAbandonedDrafts(home: string): Promise<void> {
  const prefix = `${basename(home)}.new-`
  for (const name of await readdir(dirname(home))) {
    const maker = name.startsWith(prefix) && Number.parseInt(name.slice(prefix.length), 10)
    if (maker && !(await isRunning(maker))) await rm(join(dirname(home), name), { recursive: true, force: true })
  }
}
