import { execFile } from 'node:child_process'
import { mkdir, rmdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from './until.js'

const run = promisify(execFile)

/** Runs npm in a folder that has packages of its own, and gives what it prints. */
export async function npm(folder: string, ...words: string[]): Promise<string> {
  const { stdout, stderr } = await run('npm', words, { cwd: folder, maxBuffer: 10_000_000 })
  return stdout + stderr
}

export type Packages = { state: 'installed' } | { state: 'unreachable' }

/** Installs what the folder's lock file names, where that is not done. Without a network its tests are skipped, but not under CI. */
export async function installPackages(folder: string): Promise<Packages> {
  // Another test file may be installing the same.
  const lock = join(folder, '.installing')
  await until(() => take(lock), mostInstallingMs)
  try {
    return await installWhereNeeded(folder)
  } finally {
    await rmdir(lock)
  }
}

/** One that was left behind by a run that was killed is taken over. */
async function take(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch {
    const { mtimeMs = Date.now() } = (await stat(lock).catch(() => undefined)) ?? {}
    if (Date.now() - mtimeMs > mostInstallingMs) await rmdir(lock).catch(() => undefined)
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
const mostInstallingMs = 110_000
