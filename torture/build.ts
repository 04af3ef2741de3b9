import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const settings = { format: 'esm', platform: 'node', sourcemap: 'inline', logLevel: 'warning' } as const

interface Build {
  entryOf: (program: 'api' | 'redis-proxies') => string
  remove: () => Promise<void>
}

/** A build of its own: an API process that is killed all the time has to start quickly. Inside node_modules packages are found. */
export async function buildApi(): Promise<Build> {
  const folder = join(root, 'node_modules', '.cache', `torture-${process.pid}`)
  await build({
    absWorkingDir: root,
    entryPoints: [
      'src/**/*.ts',
      'src/**/*.sql',
      'src/**/assets/*',
      ...['api', 'stalls', 'unprotected-store', 'redis-proxies'].map((file) => `torture/${file}.ts`),
    ],
    outdir: folder,
    loader: { '.sql': 'copy', '.css': 'copy', '.svg': 'copy', '.js': 'copy' },
    ...settings,
  })
  // Node finds the engine here first: what others build meanwhile is not mixed in.
  const source = join(root, 'packages', 'cached-resolvers')
  const engine = join(folder, 'node_modules', 'cached-resolvers')
  await build({
    absWorkingDir: source,
    entryPoints: ['src/**/*.ts', 'src/**/*.sql'],
    outdir: join(engine, 'dist'),
    loader: { '.sql': 'copy' },
    ...settings,
  })
  await cp(join(source, 'package.json'), join(engine, 'package.json'))
  return {
    entryOf: (program) => join(folder, 'torture', `${program}.js`),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
