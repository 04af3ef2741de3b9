import { execFile } from 'node:child_process'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { packEngine } from '../../../test/helpers/pack.js'

const run = promisify(execFile)

test('the packed engine is installed into an empty project, type-checks there, and prints what its README says', async () => {
  const { folder, tarball } = await packEngine()
  try {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const inFolder = { cwd: folder }
    await run('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`], inFolder)
    await cp('packages/cached-resolvers/test/processes/declared.ts', join(folder, 'declared.ts'))
    // The compiler and the types of Node of this repository, but no other package of it
    const types = ['--types', 'node', '--typeRoots', resolve('node_modules/@types')]
    const settings = ['--module', 'nodenext', '--target', 'es2022', '--strict']
    await run('node', [resolve('node_modules/typescript/bin/tsc'), ...types, ...settings, 'declared.ts'], inFolder)

    const page = await readFile(join(folder, 'node_modules/cached-resolvers/README.md'), 'utf8')
    const [, output] = /It prints:\n\n```\n(.*?)```/s.exec(page) ?? []
    expect((await run('node', ['declared.js'], inFolder)).stdout).toBe(output)
  } finally {
    await rm(folder, { recursive: true })
  }
})
