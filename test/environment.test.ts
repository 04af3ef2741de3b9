import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readEnvironment } from '../src/config/environment.js'

describe('a file .env', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shop-environment-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  async function read(content: string | Buffer, environment: Record<string, string> = {}) {
    const file = join(folder, '.env')
    await writeFile(file, content)
    return readEnvironment(file, environment)
  }

  test.each([
    ['as most editors save it', 'AUTH_JWT_SECRET=a\nPORT=1\n'],
    ['with a byte order mark', '\ufeffAUTH_JWT_SECRET=a\nPORT=1\n'],
    ['from Windows', '\ufeffAUTH_JWT_SECRET=a\r\nPORT=1\r\n'],
    ['for a shell, with comments', '# PORT: which\nexport AUTH_JWT_SECRET="a" # PORT\n\n  PORT = 1'],
  ])('%s is read', async (_, content) => {
    expect(await read(content)).toEqual({ AUTH_JWT_SECRET: 'a', PORT: '1' })
  })

  test('does not override variables of the process, and may be missing', async () => {
    expect(await read('PORT=1\nHOST=a', { PORT: '2' })).toEqual({ PORT: '2', HOST: 'a' })
    expect(readEnvironment(join(folder, 'nowhere'), { PORT: '2' })).toEqual({ PORT: '2' })
  })

  test.each([
    ['AUTH_JWT_SECRET: hunter2', [1]],
    ['AUTH_JWT_SECRET: hunter2\nPORT=1', [1]],
    ['PORT=1\n\nAUTH_JWT_SECRET hunter2\nHOST', [3, 4]],
    ['PORT=1\nset AUTH_JWT_SECRET=hunter2', [2]],
    ['PORT=1\n$env:AUTH_JWT_SECRET="hunter2"', [2]],
    ['\u00a0AUTH_JWT_SECRET=hunter2', [1]],
  ])('%j: reports the lines without effect, but not their values', async (content, lines) => {
    const message = lines.map((line) => `\n  Line ${line} of ${join(folder, '.env')} has no effect: write NAME=value`).join('')
    await expect(read(content)).rejects.toThrow(`Bad configuration:${message}`)
    await expect(read(content)).rejects.not.toThrow('hunter2')
  })

  test('names the line of a setting that a later line sets again, but not its value', async () => {
    const file = join(folder, '.env')
    const content = 'PORT=1\n# PORT=2\nexport PORT=hunter2\nOTHER=1\nOTHER=2\n'
    await expect(read(content)).rejects.toThrow(
      `Bad configuration:\n  Line 1 of ${file} has no effect: line 3 sets PORT again. Keep one of them`,
    )
    await expect(read(content)).rejects.not.toThrow('hunter2')
    expect(await read('OTHER="\nPORT=2\n"\nPORT=1\n')).toMatchObject({ PORT: '1' })
  })

  test.each([
    ['UTF-16, as PowerShell writes it', Buffer.from('\ufeffAUTH_JWT_SECRET=a\r\n', 'utf16le')],
    ['Latin-1', Buffer.from('AUTH_JWT_SECRET=ä', 'latin1')],
  ])('in %s is refused', async (_, content) => {
    await expect(read(content)).rejects.toThrow(/\.env cannot be read: it is not UTF-8$/)
  })
})
