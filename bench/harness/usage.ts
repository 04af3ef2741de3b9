import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Usage {
  cpuUs: number
  rssBytes: number
}

/** CPU time since the start, of all threads, and resident memory of a process; null without /proc */
export function readUsage(pid: number): Usage | null {
  try {
    // The fields follow the process name in parentheses, which may contain spaces.
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

/** Usage of a process and of its child processes together; null without /proc */
export function readUsageOfAll(pid: number): Usage | null {
  const usages = [pid, ...childPids(pid)].map(readUsage)
  if (usages.includes(null)) return null
  return (usages as Usage[]).reduce((sum, { cpuUs, rssBytes }) => ({
    cpuUs: sum.cpuUs + cpuUs,
    rssBytes: sum.rssBytes + rssBytes,
  }))
}

/** Process ids of the children; empty without /proc */
export function childPids(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return children.split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

let cachedTicksPerSecond: number | undefined

function ticksPerSecond(): number {
  cachedTicksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
  return cachedTicksPerSecond
}
