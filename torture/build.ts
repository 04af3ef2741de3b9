import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

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
      'packages/cached-resolvers/src/**/*.ts',
      ...['api', 'stalls', 'unprotected-store', 'redis-proxies'].map((file) => `torture/${file}.ts`),
    ],
    outdir: folder,
    format: 'esm',
    platform: 'node',
    loader: { '.sql': 'copy', '.css': 'copy', '.svg': 'copy', '.js': 'copy' },
    sourcemap: 'inline',
    logLevel: 'warning',
  })
  return {
    entryOf: (program) => join(folder, 'torture', `${program}.js`),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
