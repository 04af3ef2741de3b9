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

/**
 * Builds the API into a separate folder, because processes that are killed often must start quickly. The folder lies in
 * node_modules so that packages resolve.
 */
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
  // Node resolves the engine here first, so that concurrent builds of the workspace have no effect.
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
