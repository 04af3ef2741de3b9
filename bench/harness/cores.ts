import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { onPath } from './on-path.js'

export interface Cores {
  /** What to put in front of a command to run it on the core of the server under test; empty where it cannot be pinned. */
  serverPrefix: readonly string[]
  description: string
}

/** Keeps this process, and all that it starts without the prefix, off one core. */
export function divideCores(): Cores {
  const [first, ...others] = allowedCores()
  if (first === undefined || others.length === 0 || !onPath('taskset'))
    return { serverPrefix: [], description: 'no core of its own for the server: it needs taskset and two cores' }
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', others.join(), String(process.pid)], { stdio: 'ignore' })
  return {
    serverPrefix: ['taskset', '--cpu-list', String(first)],
    description: `servers on core ${first}; load generator, Redis and Postgres on ${others.length === 1 ? 'core' : 'cores'} ${others.join(', ')}`,
  }
}

/** Of Linux; empty elsewhere */
function allowedCores(): number[] {
  const list = readOrEmpty('/proc/self/status').match(/^Cpus_allowed_list:\s*(.*)$/m)?.[1] ?? ''
  return list
    .split(',')
    .filter(Boolean)
    .flatMap((range) => {
      const [from, to = from] = range.split('-').map(Number) as [number, number?]
      return Array.from({ length: to - from + 1 }, (_, index) => from + index)
    })
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
