import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type * as cacheStores from '../../packages/cached-resolvers/src/postgres/cache-stores.js'
import type * as outbox from '../../packages/cached-resolvers/src/postgres/outbox.js'
import type { Database, Queryable } from '../../src/platform/database/connection.js'
import type * as liveChanges from '../../src/platform/database/live-changes.js'

export interface OutboxSubject {
  outbox: typeof outbox
  cacheStores: typeof cacheStores
  liveChanges: typeof liveChanges
  database: Database
  /** Updates these products (1 to 9) in one statement. */
  write(transaction: Queryable, products: readonly number[]): Promise<void>
  /** Runs the work; the simulator advances its clock until it is done. */
  call<T>(work: () => Promise<T>): Promise<T>
  wait(ms: number): Promise<void>
  stop(): Promise<unknown>
}

const namespaces = ['products']
const minuteMs = 60_000

/**
 * What the engine expects of the outbox, the registered stores and the live changes of a database. Run against Postgres and the
 * simulated Postgres.
 */
export function describeOutboxContract(name: string, start: () => Promise<OutboxSubject>): void {
  describe(`the contract of outbox, stores and live changes: ${name}`, () => {
    let subject: OutboxSubject
    /** The registrations of two stores */
    let one: string
    let other: string
    const call = <T>(work: (subject: OutboxSubject, database: Database) => Promise<T>) =>
      subject.call(() => work(subject, subject.database))
    const register = (store: string) =>
      call(({ cacheStores }, database) => cacheStores.registerCacheStore(database, { name: store, namespaces }))
    const report = (store: string) => call(({ cacheStores }, database) => cacheStores.reportCacheStoreInUse(database, store))
    const change = (
      products: readonly number[],
      work: (transaction: Queryable) => Promise<unknown> = async () => {},
      delayMs = 0,
    ) =>
      call(async (subject, database) => {
        let rows: outbox.OutboxRow[] = []
        await database.begin(async (transaction) => {
          if (delayMs > 0) await transaction`select set_config('cache.relay_delay', ${`${delayMs} milliseconds`}, true)`
          await subject.write(transaction, products)
          await work(transaction)
          rows = await subject.outbox.ownOutboxRows(transaction)
        })
        return rows
      })
    const claimRows = (
      store: string,
      options: { after?: number; limit?: number; claimMs?: number; namespaces?: string[] } = {},
    ) =>
      call(({ outbox }, database) =>
        outbox.claimOutboxRows(database, {
          registration: store,
          namespaces,
          after: 0,
          limit: 100,
          claimMs: minuteMs,
          ...options,
        }),
      )
    const claim = async (...args: Parameters<typeof claimRows>) => (await claimRows(...args)).map(({ entry }) => entry).sort()
    const confirm = async (store: string, rows: readonly outbox.OutboxRow[]) => {
      const remaining = await call(({ outbox }, database) => outbox.confirmOutboxRows(database, store, rows))
      return remaining.map(({ entry }) => entry).sort()
    }
    const read = (store: string, maxRowsPerNamespace = 100) =>
      call(({ outbox }, database) => outbox.readOutbox(database, { registration: store, namespaces, maxRowsPerNamespace }))
    const unconfirmedBy = async (store: string) => (await read(store)).changes.map(({ entry }) => entry).sort()
    const unconfirmed = async (rows: readonly outbox.OutboxRow[], inUseMs = minuteMs) =>
      (await call(({ outbox }, database) => outbox.unconfirmedOutboxRows(database, rows, inUseMs))).map(({ entry }) => entry)
    const confirmSnapshot = (store: string, snapshot: string, limit = 100) =>
      call(({ outbox }, database) => outbox.confirmOutboxSnapshot(database, { registration: store, namespaces, snapshot, limit }))
    const unregisterUnused = (unusedMs: number, laggingStoreUnusedMs = unusedMs, maxUnconfirmed = 1_000) =>
      call(({ cacheStores }, database) =>
        cacheStores.unregisterUnusedCacheStores(database, { unusedMs, laggingStoreUnusedMs, maxUnconfirmed }),
      )
    const cleanUp = () => call(({ outbox }, database) => outbox.deleteConfirmedOutboxRows(database, 1_000))

    beforeAll(async () => {
      subject = await start()
    })
    afterAll(() => subject.stop())
    beforeEach(async () => {
      await unregisterUnused(-1)
      one = (await register('one')) as string
      const { snapshot, changes } = await read(one)
      if (changes.length > 0) await confirmSnapshot(one, snapshot)
      other = (await register('other')) as string
    })

    test('a store is registered once, and counts as used once a process has reported it in use', async () => {
      const find = (store: string) => call(({ cacheStores }, database) => cacheStores.findCacheStore(database, store))
      expect(await find('unknown')).toBeNull()
      expect(await register('fresh')).not.toBeNull()
      expect(await register('fresh')).toBeNull()
      const { registration } = (await find('fresh')) as { registration: string }
      expect(await find('fresh')).toEqual({ registration, wasUsed: false })
      expect(await report(registration)).toBe(true)
      expect(await find('fresh')).toEqual({ registration, wasUsed: true })
      await call(({ cacheStores }, database) => cacheStores.unregisterCacheStore(database, registration))
      expect(await report(registration)).toBe(false)
      expect(await find('fresh')).toBeNull()
    })

    test('a registration exists until it is removed, or has been unused for long', async () => {
      expect([await report(one), await report(other)]).toEqual([true, true])
      await call(({ cacheStores }, database) => cacheStores.unregisterCacheStore(database, one))
      expect([await report(one), await report(other)]).toEqual([false, true])
      await unregisterUnused(minuteMs)
      expect(await report(other)).toBe(true)
      await subject.wait(30)
      await unregisterUnused(20)
      expect(await report(other)).toBe(false)
    })

    test('a store with many unconfirmed changes is unregistered sooner while others are in use', async () => {
      const isRegistered = async (name: string) =>
        (await call(({ cacheStores }, database) => cacheStores.findCacheStore(database, name))) !== null
      await call(({ cacheStores }, database) => cacheStores.unregisterCacheStore(database, other))
      await report(one)
      await change([1, 2, 3])
      // Longer than the following steps take on a slow machine
      await subject.wait(3_000)
      await unregisterUnused(minuteMs, 2_500, 2)
      expect(await isRegistered('one')).toBe(true)
      await report((await register('third')) as string)
      await unregisterUnused(minuteMs, 2_500, 3)
      expect(await isRegistered('one')).toBe(true)
      await unregisterUnused(minuteMs, 2_500, 2)
      expect([await isRegistered('one'), await isRegistered('third')]).toEqual([false, true])
    })

    test('a transaction finds the rows that it has written; others do not before it commits', async () => {
      await change([1])
      const own = await change([2], async () => expect(await unconfirmedBy(one)).toEqual(['product_1']))
      expect(own).toMatchObject([{ namespace: 'products', entry: 'product_2', list: null }])
      expect(await unconfirmedBy(one)).toEqual(['product_1', 'product_2'])
    })

    test('a transaction that is rolled back leaves no rows', async () => {
      await expect(change([3], () => Promise.reject(new Error('roll back')))).rejects.toThrow('roll back')
      expect(await unconfirmedBy(one)).toEqual([])
    })

    test('the newest rows are claimed first, only those behind the given row', async () => {
      const rows = [await change([1]), await change([2]), await change([3])].flat()
      expect(await claim(one, { after: rows[0]?.id ?? 0, limit: 1 })).toEqual(['product_3'])
      expect(await claim(one, { after: rows[0]?.id ?? 0 })).toEqual(['product_2'])
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('claimed rows are skipped for the same store until the claim ends, but not for other stores', async () => {
      await change([1])
      expect(await claim(one, { claimMs: 300 })).toEqual(['product_1'])
      expect(await claim(one)).toEqual([])
      expect(await unconfirmedBy(one)).toEqual(['product_1'])
      expect(await claim(other)).toEqual(['product_1'])
      await change([2])
      expect(await claim(one, { claimMs: 50 })).toContain('product_2')
      await subject.wait(100)
      expect(await claim(one)).toContain('product_2')
    })

    test('rows that were claimed but not confirmed can be made due and claimed again at once', async () => {
      const rows = await change([1])
      expect(await claim(one)).toEqual(['product_1'])
      await call(({ outbox }, database) => outbox.makeOutboxRowsDue(database, rows))
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('a row is not claimed before it is due, but readOutbox() returns it', async () => {
      const rows = await change([1], undefined, minuteMs)
      expect(await claim(one)).toEqual([])
      expect(await unconfirmedBy(one)).toEqual(['product_1'])
      await call(({ outbox }, database) => outbox.makeOutboxRowsDue(database, rows))
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('a row is kept until every registered store has confirmed it, and is due at once for those that have not', async () => {
      const rows = await change([1, 2], undefined, minuteMs)
      expect(await confirm(one, rows.slice(0, 1))).toEqual(['product_1'])
      expect(await unconfirmedBy(one)).toEqual(['product_2'])
      expect(await claim(other)).toEqual(['product_1'])
      expect(await confirm(other, rows.slice(0, 1))).toEqual([])
      expect([await unconfirmedBy(one), await unconfirmedBy(other)]).toEqual([['product_2'], ['product_2']])
    })

    test('rows are unconfirmed only while a store that was recently in use has not confirmed them', async () => {
      const rows = await change([1])
      expect(await unconfirmed(rows)).toEqual([])
      await report(one)
      expect(await unconfirmed(rows)).toEqual(['product_1'])
      await confirm(one, rows)
      expect(await unconfirmed(rows)).toEqual([])
      await report(other)
      expect(await unconfirmed(rows)).toEqual(['product_1'])
      await subject.wait(30)
      expect(await unconfirmed(rows, 20)).toEqual([])
    })

    test('rows that no registered store waits for any more are deleted', async () => {
      const rows = await change([1])
      await confirm(one, rows)
      await cleanUp()
      expect(await unconfirmedBy(other)).toEqual(['product_1'])
      await call(({ cacheStores }, database) => cacheStores.unregisterCacheStore(database, other))
      await cleanUp()
      expect(await unconfirmedBy(other)).toEqual([])
    })

    test('all unconfirmed changes are read once each, and a namespace with too many rows as one change', async () => {
      await change([1])
      await change([1, 2])
      expect(await unconfirmedBy(one)).toEqual(['product_1', 'product_2'])
      const { changes, lastId } = await read(one, 2)
      expect(changes).toMatchObject([{ namespace: 'products', entry: null, list: null }])
      expect(lastId).toBeGreaterThan(0)
      expect(await call(({ outbox }, database) => outbox.oldestOutboxRowWrittenAt(database, ['others']))).toBeUndefined()
      expect(await call(({ outbox }, database) => outbox.oldestOutboxRowWrittenAt(database, namespaces))).toEqual(
        expect.any(Number),
      )
    })

    test('only rows that were committed when the outbox was read are confirmed', async () => {
      let snapshot = ''
      await change([1], async () => {
        await change([2])
        ;({ snapshot } = await read(one))
      })
      expect(await confirmSnapshot(one, snapshot)).toBe(1)
      expect(await unconfirmedBy(one)).toEqual(['product_1'])
      expect(await unconfirmedBy(other)).toEqual(['product_1', 'product_2'])
      const later = await read(other)
      expect([await confirmSnapshot(other, later.snapshot, 1), await confirmSnapshot(other, later.snapshot, 1)]).toEqual([1, 1])
      expect(await confirmSnapshot(other, later.snapshot, 1)).toBe(0)
      expect(await unconfirmedBy(one)).toEqual(['product_1'])
    })

    test('rows of unknown namespaces are ignored', async () => {
      await change([1])
      expect(await claim(one, { namespaces: ['others'] })).toEqual([])
      const read = await call(({ outbox }, database) =>
        outbox.readOutbox(database, { registration: one, namespaces: ['others'], maxRowsPerNamespace: 100 }),
      )
      expect(read).toEqual({ changes: [], snapshot: '', lastId: 0 })
    })

    test('a listener is called when it connects, after every commit, and when rows remain for other stores', async () => {
      let calls = 0
      const { stop } = await call(({ outbox }, database) => outbox.listenToOutbox(database, () => (calls += 1)))
      await subject.wait(100)
      expect(calls).toBe(1)
      const rows = await change([1, 2])
      await subject.wait(100)
      expect(calls).toBe(2)
      await confirm(one, rows)
      await subject.wait(100)
      expect(calls).toBe(3)
      await confirm(other, rows)
      await subject.wait(100)
      expect(calls).toBe(3)
      await subject.call(stop)
    })

    test('live changes are read once each, in parts, in whatever order their transactions end', async () => {
      const position = () => call(({ liveChanges }, database) => liveChanges.currentPosition(database))
      const readOn = async (since: liveChanges.Position, after: liveChanges.ChangeCursor | null = null, limit = 100) => {
        const reading = await call(({ liveChanges }, database) =>
          liveChanges.readLiveChanges(database, { since: since.snapshot, until: null, after, limit }),
        )
        expect(reading.hasLostTransactions).toBe(false)
        return { ...reading, ids: reading.changes.map(({ ids }) => ids) }
      }
      const before = await position()
      let between = before
      await change([1], async () => {
        await change([2])
        const reading = await readOn(before)
        expect(reading.ids).toEqual([[2]])
        between = reading.position
      })
      const after = await readOn(between)
      expect(after.ids).toEqual([[1]])
      expect((await readOn(after.position)).ids).toEqual([])
      const first = await readOn(before, null, 1)
      expect(first.ids).toEqual([[1]])
      expect((await readOn(before, first.changes[0] ?? null, 1)).ids).toEqual([[2]])
      await call(({ liveChanges }, database) => liveChanges.deleteLiveChanges(database, after.position.snapshot))
      expect((await readOn(before)).ids).toEqual([])
    })
  })
}
