import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Change, CriticalityLevel, diff } from '@graphql-inspector/core'
import { buildSchema } from 'graphql'

/** Two versions of the schema that are compared */
interface Step {
  from: string
  /** A commit, or the file as it lies there */
  to: { state: 'commit'; name: string } | { state: 'file' }
  /** Commits whose messages may say that it is meant */
  commits: string
}

const file = 'schema.graphql'

const whatToDo = `Clients that use this would fail. Keep the old field, add the new one beside it and mark the old one @deprecated.
Where it is meant, say so in the commit's message, on a line of its own: "BREAKING CHANGE: what clients have to do".`

process.exitCode = await main()

/**
 * Fails where schema.graphql takes away what clients may rely on. Looks at the last commit and at what is not committed yet; with
 * --against COMMIT, at everything since this branch left it.
 */
async function main(): Promise<number> {
  const { values } = parseArgs({ options: { against: { type: 'string' } } })
  let failed = false
  for (const step of steps(values.against)) failed = (await isRefused(step)) || failed
  return failed ? 1 : 0
}

function steps(against: string | undefined): Step[] {
  if (git('rev-parse', '--verify', '--quiet', 'HEAD') === null) {
    return nothing('There is no commit here to compare with.')
  }
  if (against !== undefined) {
    const base = git('merge-base', against, 'HEAD')?.trim()
    if (!base) throw new Error(`${against} is no commit here that this branch has left. Fetch it first: git fetch --unshallow`)
    return [{ from: base, to: { state: 'file' }, commits: `${base}..HEAD` }]
  }
  const uncommitted: Step = { from: 'HEAD', to: { state: 'file' }, commits: 'HEAD..HEAD' }
  if (git('rev-parse', '--verify', '--quiet', 'HEAD~1') !== null) {
    return [{ from: 'HEAD~1', to: { state: 'commit', name: 'HEAD' }, commits: 'HEAD~1..HEAD' }, uncommitted]
  }
  const shallow = git('rev-parse', '--is-shallow-repository')?.trim() === 'true'
  const why = shallow ? 'This clone is shallow: git fetch --deepen=1 brings it' : 'It is the first one'
  print(`The commit before the last is not here, so the last commit was not looked at. ${why}.`)
  return [uncommitted]
}

async function isRefused({ from, to, commits }: Step): Promise<boolean> {
  const before = textAt(from)
  const after = to.state === 'file' ? readFileSync(file, 'utf8') : textAt(to.name)
  const what = `${file}, ${from} to ${to.state === 'file' ? 'now' : to.name}`
  if (before === null || after === null) {
    print(`${what}: it was not there, so there is nothing to compare.`)
    return false
  }
  const changes = before === after ? [] : await diff(buildSchema(before), buildSchema(after))
  const breaking = changes.filter(isOf(CriticalityLevel.Breaking))
  for (const { message } of changes.filter(isOf(CriticalityLevel.Dangerous))) print(`${what}: look twice: ${message}`)
  for (const { message } of breaking) print(`${what}: BREAKING: ${message}`)
  if (breaking.length === 0) {
    print(`${what}: ${changes.length === 0 ? 'no change' : `${changes.length} changes`}, none that breaks a client.`)
    return false
  }
  const meant = /^BREAKING CHANGE: *\S.*$/m.exec(git('log', '--format=%B', commits) ?? '')?.[0]
  print(meant === undefined ? whatToDo : `It is meant: "${meant}"`)
  return meant === undefined
}

function isOf(level: CriticalityLevel) {
  return ({ criticality }: Change) => criticality.level === level
}

/** null where the commit has no such file */
function textAt(commit: string): string | null {
  return git('show', `${commit}:./${file}`)
}

/** null where git says no */
function git(...words: string[]): string | null {
  try {
    return execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}

function nothing(message: string): [] {
  print(message)
  return []
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
