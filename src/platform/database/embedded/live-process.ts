import { readFile } from 'node:fs/promises'
import process from 'node:process'

/** A process, told from later ones that get the same number: in clock ticks where /proc tells (Linux), elsewhere ''. */
export interface LiveProcess {
  pid: number
  startTime: string
}

export async function identify(pid: number): Promise<LiveProcess> {
  return { pid, startTime: (await startTimeOf(pid)) ?? 'ended' }
}

export async function isAlive({ pid, startTime }: LiveProcess): Promise<boolean> {
  return (await startTimeOf(pid)) === startTime
}

export async function isRunning(pid: number): Promise<boolean> {
  return (await startTimeOf(pid)) !== undefined
}

/** Undefined when no such process runs. A zombie does not run: it has only not been waited for. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  if (!exists(pid)) return undefined
  if (process.platform !== 'linux') return ''
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return exists(pid) ? '' : undefined
  // The second field is the name of the program, which may hold spaces and parentheses.
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
