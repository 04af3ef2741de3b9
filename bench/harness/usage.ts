import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Usage {
  cpuUs: number
  rssBytes: number
}

/** What a process has used up to now, all its threads together; null where there is no /proc. */
export function readUsage(pid: number): Usage | null {
  try {
    // After the name, which may hold anything, in parentheses
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const ticks = Number(fields[11]) + Number(fields[12])
    const rssKb = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return { cpuUs: (ticks * 1_000_000) / ticksPerSecond(), rssBytes: Number(rssKb) * 1024 }
  } catch {
    return null
  }
}

let known: number | undefined

function ticksPerSecond(): number {
  known ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return known
}
