import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('the packed engine is installed into an empty project, type-checks there, and prints what its page says', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'shop-pack-'))
  try {
    // Of a copy: other tests run what is built.
    const copy = join(folder, 'packages', 'cached-resolvers')
    await cp('packages/cached-resolvers', copy, { recursive: true })
    await cp('tsconfig.json', join(folder, 'tsconfig.json'))
    await symlink(resolve('node_modules'), join(folder, 'node_modules'))
    const env = { ...process.env, PATH: `${resolve('node_modules/.bin')}:${process.env.PATH}` }
    const { stdout } = await run('npm', ['pack', '--pack-destination', folder, '--json'], { cwd: copy, env })
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
    for (const part of ['packages', 'tsconfig.json', 'node_modules']) await rm(join(folder, part), { recursive: true })
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
