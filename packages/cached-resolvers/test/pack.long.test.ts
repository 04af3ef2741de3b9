import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the packed engine is installed into an empty project, type-checks there, and prints what its page says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shop-pack-'))
  try {
    const pack = ['pack', '--workspace', 'cached-resolvers', '--pack-destination', folder, '--json']
    const [{ filename }] = JSON.parse((await run('npm', pack)).stdout) as [{ filename: string }]
    await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
    const inFolder = { cwd: folder }
    await run('npm', ['install', '--no-audit', '--no-fund', `./${filename}`, 'typescript@5', '@types/node@20'], inFolder)
    await cp('packages/cached-resolvers/test/processes/declared.ts', join(folder, 'declared.ts'))
    await run('npx', ['tsc', '--module', 'nodenext', '--target', 'es2022', '--strict', 'declared.ts'], inFolder)

    const page = await readFile(join(folder, 'node_modules/cached-resolvers/README.md'), 'utf8')
    const [, output] = /It prints:\n\n```\n(.*?)```/s.exec(page) ?? []
    expect((await run('node', ['declared.js'], inFolder)).stdout).toBe(output)
  } finally {
    await rm(folder, { recursive: true })
  }
})
