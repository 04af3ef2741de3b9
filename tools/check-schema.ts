import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { type Change, CriticalityLevel, diff } from '@graphql-inspector/core'
import { buildSchema } from 'graphql'
import { runCommand } from '../src/commands/run-command.js'

/** A comparison of two versions of the schema */
interface Comparison {
  from: string
  /** A commit, or the file in the working tree */
  to: { state: 'commit'; name: string } | { state: 'file' }
  /** Range of the commits whose messages may declare a breaking change */
  commits: string
}

const file = 'schema.graphql'

const usage = `Usage: npm run check:schema -- [--against COMMIT]
Fails if schema.graphql removes or changes what clients may use: in the last commit and in uncommitted changes; with --against, in everything
since this branch left COMMIT.`
const advice = `Clients that use this would fail. Keep the old field, add the new one beside it and mark the old one @deprecated.
If the change is intended, declare it in the commit message, on a separate line: "BREAKING CHANGE: what clients have to do".`

process.exitCode = await runCommand({ usage, readOptions, run: checkSchema })

function readOptions() {
  return parseArgs({ options: { against: { type: 'string' }, help: { type: 'boolean', default: false } } }).values
}

async function checkSchema({ against }: ReturnType<typeof readOptions>): Promise<number> {
  let failed = false
  for (const comparison of comparisons(against)) failed = (await isRefused(comparison)) || failed
  return failed ? 1 : 0
}

function comparisons(against: string | undefined): Comparison[] {
  if (git('rev-parse', '--verify', '--quiet', 'HEAD') === null) {
    print('No commit to compare with.')
    return []
  }
  if (against !== undefined) {
    const base = git('merge-base', against, 'HEAD')?.trim()
    if (!base)
      throw new Error(`This branch has no common ancestor with ${against} here. Fetch the history first: git fetch --unshallow`)
    return [{ from: base, to: { state: 'file' }, commits: `${base}..HEAD` }]
  }
  const uncommitted: Comparison = { from: 'HEAD', to: { state: 'file' }, commits: 'HEAD..HEAD' }
  if (git('rev-parse', '--verify', '--quiet', 'HEAD~1') !== null) {
    return [{ from: 'HEAD~1', to: { state: 'commit', name: 'HEAD' }, commits: 'HEAD~1..HEAD' }, uncommitted]
  }
  const shallow = git('rev-parse', '--is-shallow-repository')?.trim() === 'true'
  const reason = shallow ? 'This clone is shallow: fetch it with git fetch --deepen=1' : 'The last commit is the first one'
  print(`The last commit was not checked, because its parent is not here. ${reason}.`)
  return [uncommitted]
}

async function isRefused({ from, to, commits }: Comparison): Promise<boolean> {
  const before = textAt(from)
  const after = to.state === 'file' ? readFileSync(file, 'utf8') : textAt(to.name)
  const what = `${file}, ${from} to ${to.state === 'file' ? 'now' : to.name}`
  if (before === null || after === null) {
    print(`${what}: the file did not exist, so there is nothing to compare.`)
    return false
  }
  const changes = before === after ? [] : await diff(buildSchema(before), buildSchema(after))
  const breaking = changes.filter(isOf(CriticalityLevel.Breaking))
  for (const { message } of changes.filter(isOf(CriticalityLevel.Dangerous))) print(`${what}: dangerous: ${message}`)
  for (const { message } of breaking) print(`${what}: BREAKING: ${message}`)
  if (breaking.length === 0) {
    print(`${what}: ${changes.length === 0 ? 'no change' : `${changes.length} changes`}, none that breaks a client.`)
    return false
  }
  const declaration = /^BREAKING CHANGE: *\S.*$/m.exec(git('log', '--format=%B', commits) ?? '')?.[0]
  print(declaration === undefined ? advice : `The change is intended: "${declaration}"`)
  return declaration === undefined
}

function isOf(level: CriticalityLevel) {
  return ({ criticality }: Change) => criticality.level === level
}

/** null: the commit has no such file */
function textAt(commit: string): string | null {
  return git('show', `${commit}:./${file}`)
}

/** The output of git; null if git fails */
function git(...args: string[]): string | null {
  try {
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
