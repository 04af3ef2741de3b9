import { randomUUID } from 'node:crypto'
import { appendFile, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { changeOwner, type Installation } from './installation.js'
import { identify, isAlive, isRunning } from './process-identity.js'

// The processes that use a server are recorded in one file per server process, with an "enter" and later a "leave" line for each.
// The files are append-only, so no lock is needed. One file per server process keeps users of earlier servers out of the count.

export async function registerUser(installation: Installation, serverPid: number): Promise<string> {
  const { pid, startTime } = await identify(process.pid)
  const user = `${pid}/${startTime}/${randomUUID()}`
  await appendFile(usersFile(installation, serverPid), `enter ${user}\n`)
  await changeOwner(installation.account, usersFile(installation, serverPid))
  return user
}

export async function unregisterUser(installation: Installation, serverPid: number, user: string): Promise<void> {
  await appendFile(usersFile(installation, serverPid), `leave ${user}\n`).catch(ignoreMissingFolder)
}

/** Whether a registered process is still alive. */
export async function hasUsers(installation: Installation, serverPid: number): Promise<boolean> {
  const lines = (await readFile(usersFile(installation, serverPid), 'utf8').catch(() => '')).split('\n')
  const entered = lines.filter((line) => line.startsWith('enter ')).map((line) => line.slice('enter '.length))
  for (const user of entered.filter((name) => !lines.includes(`leave ${name}`))) {
    if (await isUserAlive(user)) return true
  }
  return false
}

export async function removeFilesOfEndedServers(installation: Installation): Promise<void> {
  for (const name of await readdir(installation.home)) {
    const pid = name.startsWith(prefix) && Number(name.slice(prefix.length))
    if (pid && !(await isRunning(pid))) await rm(join(installation.home, name), { force: true })
  }
}

const prefix = 'users.'

function usersFile(installation: Installation, serverPid: number): string {
  return join(installation.home, `${prefix}${serverPid}`)
}

function ignoreMissingFolder(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function isUserAlive(user: string): Promise<boolean> {
  const [pid, startTime = ''] = user.split('/')
  return isAlive({ pid: Number(pid), startTime })
}
