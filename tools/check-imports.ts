import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import process from 'node:process'

// npm run check: who may import whom, beside itself and packages. The engine is a package.

/** Folders and files of src, the longest that fits counts; files without `.ts` */
const allowed: Readonly<Record<string, readonly string[]>> = {
  main: ['app', 'config', 'platform'],
  config: ['platform/percent-encoding'],
  platform: [],
  'platform/auth': [],
  'platform/log': ['config', 'platform'],
  graphql: ['platform', 'shop'],
  shop: ['graphql', 'platform'],
  http: ['graphql', 'platform'],
}

const faults = [...filesOf('src'), ...filesOf('packages/cached-resolvers/src')].flatMap((file) =>
  importsOf(file)
    .filter((target) => !mayImport(file, target))
    .map((target) => `${file} may not import ${target}`),
)
if (faults.length > 0)
  process.stderr.write(`${faults.join('\n')}\nWho may import whom is in tools/check-imports.ts and the README's map.\n`)
process.exitCode = faults.length > 0 ? 1 : 0

function filesOf(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return files.filter((file) => file.endsWith('.ts')).map((file) => join(folder, file))
}

/** Of this repository, as paths from its root */
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
