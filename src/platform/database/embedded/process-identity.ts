import { readFile } from 'node:fs/promises'
import process from 'node:process'

/**
 * Distinguishes a process from a later one with the same pid. `startTime` is in clock ticks on Linux (/proc), '' on other
 * systems.
 */
export interface ProcessIdentity {
  pid: number
  startTime: string
}

export async function identify(pid: number): Promise<ProcessIdentity> {
  return { pid, startTime: (await startTimeOf(pid)) ?? 'ended' }
}

export async function isAlive({ pid, startTime }: ProcessIdentity): Promise<boolean> {
  return (await startTimeOf(pid)) === startTime
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await startTimeOf(pid)) !== undefined
}

/** Returns undefined if the process is not running. A zombie counts as ended. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  if (!exists(pid)) return undefined
  if (process.platform !== 'linux') return ''
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return exists(pid) ? '' : undefined
  // The second field is the program name, which may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
