import { spawnSync } from 'node:child_process'
import process from 'node:process'

/** What npm audit says of a package */
interface Vulnerability {
  severity: string
  range: string
  /** The advisories, or the names of packages that bring the fault along */
  via: (string | { title: string; url: string })[]
}

type Audit = { state: 'answered'; vulnerabilities: [name: string, Vulnerability][] } | { state: 'unanswered'; why: string }

const grave = ['high', 'critical']

process.exitCode = main()

/** Fails where a package that users run has a known fault that is high or critical. Those of development are told only. */
function main(): number {
  const users = audit('--omit=dev')
  const all = audit()
  for (const [who, its] of [
    ['for users', users],
    ['with development', all],
  ] as const)
    print(`Dependencies ${who}: ${summary(its)}`)
  return users.state === 'answered' && users.vulnerabilities.some(isGrave) ? 1 : 0
}

function audit(...options: string[]): Audit {
  const { stdout } = spawnSync('npm', ['audit', '--json', ...options], { encoding: 'utf8', timeout: 120_000 })
  try {
    const { vulnerabilities, message } = JSON.parse(stdout)
    if (vulnerabilities) return { state: 'answered', vulnerabilities: Object.entries(vulnerabilities) }
    return { state: 'unanswered', why: String(message) }
  } catch {
    return { state: 'unanswered', why: 'npm audit gave no answer' }
  }
}

function summary(audit: Audit): string {
  if (audit.state === 'unanswered') return `NOT LOOKED AT, the registry did not answer (${audit.why})`
  const lines = audit.vulnerabilities.map(([name, its]) => `\n  ${its.severity}: ${name} ${its.range}${describe(its)}`)
  return lines.length === 0 ? 'no known vulnerability' : lines.join('')
}

function describe({ via }: Vulnerability): string {
  return via.map((its) => (typeof its === 'string' ? `, by ${its}` : `, ${its.title} ${its.url}`)).join('')
}

function isGrave([, { severity }]: [string, Vulnerability]): boolean {
  return grave.includes(severity)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
