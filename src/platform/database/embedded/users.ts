import { randomUUID } from 'node:crypto'
import { appendFile, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { identify, isAlive, isRunning } from './live-process.js'
import { giveTo, type Place } from './place.js'

// The processes that use a server: a file with a line for each that entered and each that left. Lines are only ever added, so
// nobody needs a lock, and every server process has a file of its own, so what earlier ones left behind says nothing about it.

export async function enter(place: Place, serverPid: number): Promise<string> {
  const { pid, startTime } = await identify(process.pid)
  const user = `${pid}/${startTime}/${randomUUID()}`
  await appendFile(usersFile(place, serverPid), `enter ${user}\n`)
  await giveTo(place.account, usersFile(place, serverPid))
  return user
}

export async function leave(place: Place, serverPid: number, user: string): Promise<void> {
  await appendFile(usersFile(place, serverPid), `leave ${user}\n`).catch(ignoreMissingFolder)
}

/** Whether anybody is left who has not died. */
export async function hasUsers(place: Place, serverPid: number): Promise<boolean> {
  const lines = (await readFile(usersFile(place, serverPid), 'utf8').catch(() => '')).split('\n')
  const entered = lines.filter((line) => line.startsWith('enter ')).map((line) => line.slice('enter '.length))
  for (const user of entered.filter((one) => !lines.includes(`leave ${one}`))) {
    if (await isPresent(user)) return true
  }
  return false
}

/** Removes the files of servers that have ended. */
export async function forgetEndedServers(place: Place): Promise<void> {
  for (const name of await readdir(place.home)) {
    const pid = name.startsWith(prefix) && Number(name.slice(prefix.length))
    if (pid && !(await isRunning(pid))) await rm(join(place.home, name), { force: true })
  }
}

const prefix = 'users.'

function usersFile(place: Place, serverPid: number): string {
  return join(place.home, `${prefix}${serverPid}`)
}

function ignoreMissingFolder(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

function isPresent(user: string): Promise<boolean> {
  const [pid, startTime = ''] = user.split('/')
  return isAlive({ pid: Number(pid), startTime })
}
