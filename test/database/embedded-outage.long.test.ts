import { execFileSync, spawnSync } from 'node:child_process'
import { access, chmod, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connect } from '../../src/platform/database/connection.js'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { until } from '../helpers/until.js'

let folder: string
let server: BuiltServer
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-outage-'))
  await chmod(folder, 0o755)
})
afterEach(async () => {
  server.child.kill('SIGTERM')
  await server.exited
  await rm(folder, { recursive: true, force: true })
})

const lockFile = () => join(folder, 'postgres/data/postmaster.pid')
const postgresPid = async () => Number((await readFile(lockFile(), 'utf8')).split('\n')[0])

async function start(): Promise<(document: string, variables?: object) => ReturnType<typeof query>> {
  server = startBuiltServer({ DATA_DIR: folder, CACHE_NEAR_MB: '0', CACHE_MEMORY_MB: '1' })
  const url = await waitUntilReady(server)
  return (document, variables) => query(url, document, variables)
}

const setStock = (stock: number) =>
  `mutation { updateProductStock(productId: "product_1", stock: ${stock}) { product { stock } } }`

test.each(['SIGKILL', 'SIGQUIT'] as const)(
  'an embedded Postgres that received %s is restarted at the same address',
  async (signal) => {
    const ask = await start()
    const first = await postgresPid()
    process.kill(first, signal)
    await until(async () => (await ask(setStock(41))).data?.updateProductStock?.product?.stock === 41)
    expect(await postgresPid()).not.toBe(first)
    expect(server.output()).toMatch(/"level":40.*Postgres has ended and is being restarted/)

    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
    await expect(access(lockFile())).rejects.toThrow(/ENOENT/)
  },
)

/** Only root may mount, and not in every container. */
const canMount = (() => {
  if (process.platform !== 'linux' || spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0) return false
  return spawnSync('umount', ['/mnt']).status === 0
})()
if (!canMount) process.stdout.write('\nSKIPPED: the test with a full disk, because this user may not mount a file system.\n')

test.skipIf(!canMount)('a full disk is reported in the log, and the server works again once there is space', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=160m,mode=755', 'tmpfs', folder])
  try {
    const ask = await start()
    const [address] = /postgres:\/\/shop@\S+\/shop/.exec(server.output()) ?? []
    const url = Object.assign(new URL(address as string), { password: await readFile(join(folder, 'postgres/password'), 'utf8') })
    const sql = connect({ url: url.href, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
    // Starts a new file of the WAL. If the old one were nearly full, the WAL would be the first that cannot grow, and Postgres would end.
    await sql`select pg_switch_wal()`
    await sql`select pg_logical_emit_message(true, 'test', 'any')`
    const { bavail, bsize } = await statfs(folder)
    const filler = join(folder, 'filler')
    await writeFile(filler, Buffer.alloc(bavail * bsize)).catch(() => undefined)
    const fill = 'mutation Fill($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { products { id } } }'
    const inputs = Array.from({ length: 100 }, () => ({ name: 'x'.repeat(90), price: 1, stock: 1, category: 'Books' }))
    // Repeated until the space that Postgres had preallocated is used up
    await until(async () => {
      await ask(fill, { inputs })
      return /could not extend file .*: No space left on device/.test(server.output())
    })

    // The server exits when it cannot write its WAL.
    await until(async () => {
      await sql`select pg_logical_emit_message(false, 'test', 'any'), pg_switch_wal()`.catch(() => undefined)
      return /Postgres has ended.*No space left on device/.test(server.output())
    })
    await sql.end({ timeout: 0 }).catch(() => undefined)
    await rm(filler)
    await until(async () => (await ask(setStock(42))).data?.updateProductStock?.product?.stock === 42)
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
  } finally {
    spawnSync('umount', ['--lazy', folder])
  }
})
