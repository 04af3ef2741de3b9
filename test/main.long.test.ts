import { access, chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from './helpers/built.js'
import { until } from './helpers/until.js'

let folder: string
let started: BuiltServer[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-main-'))
  await chmod(folder, 0o755)
  started = []
})
afterEach(async () => {
  for (const { child, exited } of started) {
    child.kill('SIGTERM')
    await exited
  }
  await rm(folder, { recursive: true, force: true })
})

const start = (env: Record<string, string>) => {
  const built = startBuiltServer(env)
  started.push(built)
  return built
}

test('the process starts an embedded database with demo data, and uses it again at the next start', async () => {
  const first = start({ DATA_DIR: folder })
  const url = await waitUntilReady(first)
  const { data } = await query(url, '{ stats { totalUsers totalProducts totalOrders } order(id: "order_1") { id } }')
  expect(data).toEqual({ stats: { totalUsers: 1000, totalProducts: 500, totalOrders: 250 }, order: { id: 'order_1' } })
  await query(url, 'mutation { createUser(input: { email: "kept@example.com", name: "Kept" }) { user { id } } }')
  first.child.kill('SIGTERM')
  expect(await first.exited).toBe(0)

  const second = start({ DATA_DIR: folder })
  expect((await query(await waitUntilReady(second), '{ stats { totalUsers } user(id: "user_1001") { name } }')).data).toEqual({
    stats: { totalUsers: 1001 },
    user: { name: 'Kept' },
  })
  // The reader of its log is gone; the process must still exit cleanly.
  second.child.stdout?.destroy()
  second.child.kill('SIGTERM')
  expect(await second.exited).toBe(0)
  await expect(access(join(folder, 'postgres/data/postmaster.pid'))).rejects.toThrow(/ENOENT/)
})

test.each(['SIGINT', 'SIGHUP'] as const)(
  '%s from the terminal during the first start leaves no half-created database',
  async (signal) => {
    const first = start({ DATA_DIR: folder })
    const drafts = async () => (await readdir(folder)).filter((name) => name.startsWith('postgres'))
    await until(async () => {
      const [draft = ''] = await drafts()
      return draft !== '' && (await readdir(join(folder, draft))).includes('data')
    })
    process.kill(-(first.child.pid as number), signal)
    expect(await first.exited).toBe(0)
    expect((await drafts()).filter((name) => name.includes('.new-'))).toEqual([])
    expect(first.output()).not.toMatch(/Error|initdb/)
  },
)
