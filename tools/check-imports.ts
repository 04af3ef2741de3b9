import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import process from 'node:process'
import { readHelpOption, runCommand } from '../src/commands/run-command.js'

// Part of npm run check: which folders may import which others, beside themselves and packages. The engine counts as a package.

const usage = `Usage: npm run check
Runs all static checks. This part, tools/check-imports.ts, fails if a file of src/ or of the engine imports from a folder that it must not use.`

/** Allowed imports by folder or file of src. The longest matching path applies; files are named without `.ts`. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  main: ['app', 'config', 'platform', 'usage', 'wiring'],
  config: ['platform/percent-encoding', 'platform/truncate'],
  platform: [],
  'platform/auth': [],
  'platform/log': ['config', 'platform'],
  graphql: ['platform', 'shop'],
  shop: ['graphql', 'platform'],
  http: ['graphql', 'platform'],
}

process.exitCode = await runCommand({ usage, readOptions: readHelpOption, run: checkImports })

async function checkImports(): Promise<number> {
  const violations = [...filesOf('src'), ...filesOf('packages/cached-resolvers/src')].flatMap((file) =>
    importsOf(file)
      .filter((target) => !mayImport(file, target))
      .map((target) => `${file} may not import ${target}`),
  )
  if (violations.length === 0) return 0
  process.stderr.write(
    `${violations.join('\n')}\nThe allowed imports are defined in tools/check-imports.ts and described in CONTRIBUTING.md.\n`,
  )
  return 1
}

function filesOf(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.ts')).map((file) => join(folder, file))
}

/** The imported files of this repository, as paths from its root */
function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8')
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, specifier = '']) => specifier)
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)).replace(/\.js$/, ''))
}

function mayImport(file: string, target: string): boolean {
  const path = file.replace(/\.ts$/, '')
  if (path.startsWith('packages/')) return target.startsWith('packages/cached-resolvers/src/')
  const isIn = (folder: string) => (inSrc: string) => `${inSrc}/`.startsWith(`src/${folder}/`)
  const [folder = '', rule] = Object.entries(allowed).findLast(([name]) => isIn(name)(path)) ?? []
  return rule === undefined || [folder, ...rule].some((name) => isIn(name)(target))
}
