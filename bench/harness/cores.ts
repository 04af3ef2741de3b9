import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { onPath } from './on-path.js'

export interface Cores {
  /** Command prefix that pins a process to the core of the server under test; empty if pinning is not possible */
  serverPrefix: readonly string[]
  description: string
}

/**
 * Reserves one core for the server under test: pins this process, and all children started without the prefix, to the other
 * cores.
 */
export function divideCores(): Cores {
  const [first, ...others] = allowedCores()
  if (first === undefined || others.length === 0 || !onPath('taskset'))
    return { serverPrefix: [], description: 'servers not pinned to a core, which needs taskset and two cores' }
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', others.join(), String(process.pid)], { stdio: 'ignore' })
  return {
    serverPrefix: ['taskset', '--cpu-list', String(first)],
    description: `servers on core ${first}; load generator, Redis and Postgres on ${others.length === 1 ? 'core' : 'cores'} ${others.join(', ')}`,
  }
}

/** The cores that this process may use; empty on other systems than Linux */
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
