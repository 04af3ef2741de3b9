import { access, chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from './helpers/built.js'

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
