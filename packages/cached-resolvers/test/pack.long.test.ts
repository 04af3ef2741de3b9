import { execFile } from 'node:child_process'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { packEngine } from '../../../test/helpers/pack.js'

const run = promisify(execFile)

test('the packed engine is installed into an empty project, type-checks there, and prints what its README says', async () => {
  const { folder, tarball } = await packEngine()
  try {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const inFolder = { cwd: folder }
    await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`, 'typescript@5', '@types/node@20'], inFolder)
    await cp('packages/cached-resolvers/test/processes/declared.ts', join(folder, 'declared.ts'))
    await run('npx', ['tsc', '--module', 'nodenext', '--target', 'es2022', '--strict', 'declared.ts'], inFolder)

    const page = await readFile(join(folder, 'node_modules/cached-resolvers/README.md'), 'utf8')
    const [, output] = /It prints:\n\n```\n(.*?)```/s.exec(page) ?? []
    expect((await run('node', ['declared.js'], inFolder)).stdout).toBe(output)
  } finally {
    await rm(folder, { recursive: true })
  }
})
