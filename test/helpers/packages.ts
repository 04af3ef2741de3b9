import { execFile } from 'node:child_process'
import { mkdir, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.js'

const run = promisify(execFile)

/** Runs npm in a folder with its own packages and returns the output. */
export async function npm(folder: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('npm', args, { cwd: folder, maxBuffer: 10_000_000 })
  return stdout + stderr
}

export type Packages = { state: 'installed' } | { state: 'unreachable' }

/**
 * Installs the packages of the lock file of the folder, unless they are installed. Without a network, the tests are skipped,
 * except in CI.
 */
export async function installPackages(folder: string): Promise<Packages> {
  // Another test file may be installing the same packages.
  const lock = join(folder, '.installing')
  await until(() => acquire(lock), maxInstallMs)
  try {
    return await installWhereNeeded(folder)
  } finally {
    await rmdir(lock)
  }
}

/** Creates the lock folder. Removes a stale lock of a run that was killed. */
async function acquire(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch {
    const { mtimeMs = Date.now() } = (await stat(lock).catch(() => undefined)) ?? {}
    if (Date.now() - mtimeMs > maxInstallMs) await rmdir(lock).catch(() => undefined)
    return false
  }
}

async function installWhereNeeded(folder: string): Promise<Packages> {
  const [locked, installed] = await Promise.all(['package-lock.json', 'node_modules/.package-lock.json'].map(changedAt(folder)))
  if ((installed as number) >= (locked as number)) return { state: 'installed' }
  try {
    await npm(folder, 'ci', '--no-audit', '--prefer-offline', '--fetch-retries=1')
    return { state: 'installed' }
  } catch (error) {
    if (process.env.CI === 'true' || !networkErrors.test(String(error))) throw error
    process.stderr.write(`\nSKIPPED: the tests of ${folder}, because no registry can be reached to install its packages.\n`)
    return { state: 'unreachable' }
  }
}

const changedAt = (folder: string) => (file: string) =>
  stat(join(folder, file)).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  )

const networkErrors = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED/
const maxInstallMs = 110_000
