import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Packs the engine as for publishing. Returns a new folder that contains only the tarball, and the name of the tarball. */
export async function packEngine(): Promise<{ folder: string; tarball: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'shop-pack-'))
  // Packs a copy, because packing rebuilds and other tests use the build.
  const copy = join(folder, 'packages', 'cached-resolvers')
  await cp('packages/cached-resolvers', copy, { recursive: true })
  await cp('tsconfig.json', join(folder, 'tsconfig.json'))
  await symlink(resolve('node_modules'), join(folder, 'node_modules'))
  const env = { ...process.env, PATH: `${resolve('node_modules/.bin')}:${process.env.PATH}` }
  const { stdout } = await run('npm', ['pack', '--pack-destination', folder, '--json'], { cwd: copy, env })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  for (const part of ['packages', 'tsconfig.json', 'node_modules']) await rm(join(folder, part), { recursive: true })
  return { folder, tarball: filename }
}
