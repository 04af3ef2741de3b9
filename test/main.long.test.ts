import { access, chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Built, query, ready, runBuilt } from './helpers/built.js'

let folder: string
let started: Built[]
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
  const its = runBuilt(env)
  started.push(its)
  return its
}

test('the process starts a database of its own with the demo data, and finds it again at the next start', async () => {
  const first = start({ DATA_DIR: folder })
  const url = await ready(first)
  const { data } = await query(url, '{ stats { totalUsers totalProducts totalOrders } order(id: "order_1") { id } }')
  expect(data).toEqual({ stats: { totalUsers: 1000, totalProducts: 500, totalOrders: 250 }, order: { id: 'order_1' } })
  await query(url, 'mutation { createUser(input: { email: "kept@example.com", name: "Kept" }) { user { id } } }')
  first.child.kill('SIGTERM')
  expect(await first.exited).toBe(0)

  const second = start({ DATA_DIR: folder })
  expect((await query(await ready(second), '{ stats { totalUsers } user(id: "user_1001") { name } }')).data).toEqual({
    stats: { totalUsers: 1001 },
    user: { name: 'Kept' },
  })
  // Whoever read its log is gone: it ends in order all the same.
  second.child.stdout?.destroy()
  second.child.kill('SIGTERM')
  expect(await second.exited).toBe(0)
  await expect(access(join(folder, 'postgres/data/postmaster.pid'))).rejects.toThrow(/ENOENT/)
})
