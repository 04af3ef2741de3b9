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
  /** Changes these products, 1 to 9, in one statement. */
  write(transaction: Queryable, products: readonly number[]): Promise<void>
  /** Lets time go on until the work is done. */
  call<T>(work: () => Promise<T>): Promise<T>
  wait(ms: number): Promise<void>
  stop(): Promise<unknown>
}

const namespaces = ['products']
const aMinute = 60_000

/** What the engine takes outbox, registered stores and live changes of a database for; run against Postgres and against the simulated one. */
export function describeOutboxContract(name: string, start: () => Promise<OutboxSubject>): void {
  describe(`the contract of outbox, stores and live changes: ${name}`, () => {
    let subject: OutboxSubject
    /** The registrations of two stores */
    let one: string
    let other: string
    const call = <T>(work: (its: OutboxSubject, database: Database) => Promise<T>) =>
      subject.call(() => work(subject, subject.database))
    const register = (store: string) =>
      call((its, database) => its.cacheStores.registerCacheStore(database, { name: store, namespaces }))
    const report = (store: string) => call((its, database) => its.cacheStores.reportCacheStoreInUse(database, store))
    const change = (
      products: readonly number[],
      work: (transaction: Queryable) => Promise<unknown> = async () => {},
      delayMs = 0,
    ) =>
      call(async (its, database) => {
        let rows: outbox.OutboxRow[] = []
        await database.begin(async (transaction) => {
          if (delayMs > 0) await transaction`select set_config('cache.relay_delay', ${`${delayMs} milliseconds`}, true)`
          await its.write(transaction, products)
          await work(transaction)
          rows = await its.outbox.ownOutboxRows(transaction)
        })
        return rows
      })
    const claimRows = (
      store: string,
      options: { after?: number; limit?: number; claimMs?: number; namespaces?: string[] } = {},
    ) =>
      call((its, database) =>
        its.outbox.claimOutboxRows(database, { store, namespaces, after: 0, limit: 100, claimMs: aMinute, ...options }),
      )
    const claim = async (...its: Parameters<typeof claimRows>) => (await claimRows(...its)).map(({ entry }) => entry).sort()
    const confirm = async (store: string, rows: readonly outbox.OutboxRow[]) => {
      const owed = await call((its, database) => its.outbox.confirmOutboxRows(database, store, rows))
      return owed.map(({ entry }) => entry).sort()
    }
    const read = (store: string, maxRows = 100) =>
      call((its, database) => its.outbox.readOutbox(database, { store, namespaces, maxRows }))
    const owedTo = async (store: string) => (await read(store)).changes.map(({ entry }) => entry).sort()
    const owed = async (rows: readonly outbox.OutboxRow[], inUseMs = aMinute) =>
      (await call((its, database) => its.outbox.owedOutboxRows(database, rows, inUseMs))).map(({ entry }) => entry)
    const confirmIn = (store: string, snapshot: string, limit = 100) =>
      call((its, database) => its.outbox.confirmOutboxRowsIn(database, { store, namespaces, snapshot, limit }))
    const unregisterUnused = (unusedMs: number, behindMs = unusedMs, maxOwed = 1_000) =>
      call((its, database) => its.cacheStores.unregisterUnusedCacheStores(database, { unusedMs, behindMs, maxOwed }))
    const tidy = () => call((its, database) => its.outbox.deleteDeliveredOutboxRows(database, 1_000))

    beforeAll(async () => {
      subject = await start()
    })
    afterAll(() => subject.stop())
    beforeEach(async () => {
      await unregisterUnused(-1)
      one = (await register('one')) as string
      const { snapshot, changes } = await read(one)
      if (changes.length > 0) await confirmIn(one, snapshot)
      other = (await register('other')) as string
    })

    test('a store is registered once, and has been used once a process has said so', async () => {
      const find = (store: string) => call((its, database) => its.cacheStores.findCacheStore(database, store))
      expect(await find('nobody')).toBeNull()
      expect(await register('fresh')).not.toBeNull()
      expect(await register('fresh')).toBeNull()
      const { registration } = (await find('fresh')) as { registration: string }
      expect(await find('fresh')).toEqual({ registration, wasUsed: false })
      expect(await report(registration)).toBe(true)
      expect(await find('fresh')).toEqual({ registration, wasUsed: true })
      await call((its, database) => its.cacheStores.unregisterCacheStore(database, registration))
      expect(await report(registration)).toBe(false)
      expect(await find('fresh')).toBeNull()
    })

    test('a registration stands until it is taken back, or nobody used it for long', async () => {
      expect([await report(one), await report(other)]).toEqual([true, true])
      await call((its, database) => its.cacheStores.unregisterCacheStore(database, one))
      expect([await report(one), await report(other)]).toEqual([false, true])
      await unregisterUnused(aMinute)
      expect(await report(other)).toBe(true)
      await subject.wait(30)
      await unregisterUnused(20)
      expect(await report(other)).toBe(false)
    })

    test('one that is owed much goes sooner, while others are in use', async () => {
      const stands = async (name: string) =>
        (await call((postgres, database) => postgres.cacheStores.findCacheStore(database, name))) !== null
      await call((postgres, database) => postgres.cacheStores.unregisterCacheStore(database, other))
      await report(one)
      await change([1, 2, 3])
      // Longer than a slow machine takes for what follows
      await subject.wait(3_000)
      await unregisterUnused(aMinute, 2_500, 2)
      expect(await stands('one')).toBe(true)
      await report((await register('third')) as string)
      await unregisterUnused(aMinute, 2_500, 3)
      expect(await stands('one')).toBe(true)
      await unregisterUnused(aMinute, 2_500, 2)
      expect([await stands('one'), await stands('third')]).toEqual([false, true])
    })

    test('a transaction finds the rows that it has written, and nobody else does before it commits', async () => {
      await change([1])
      const own = await change([2], async () => expect(await owedTo(one)).toEqual(['product_1']))
      expect(own).toMatchObject([{ namespace: 'products', entry: 'product_2', list: null }])
      expect(await owedTo(one)).toEqual(['product_1', 'product_2'])
    })

    test('a transaction that is rolled back leaves nothing', async () => {
      await expect(change([3], () => Promise.reject(new Error('roll back')))).rejects.toThrow('roll back')
      expect(await owedTo(one)).toEqual([])
    })

    test('the newest rows are claimed first, of those behind a row', async () => {
      const rows = [await change([1]), await change([2]), await change([3])].flat()
      expect(await claim(one, { after: rows[0]?.id ?? 0, limit: 1 })).toEqual(['product_3'])
      expect(await claim(one, { after: rows[0]?.id ?? 0 })).toEqual(['product_2'])
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('what was claimed is passed over for the same store until the claim ends, and by no other store', async () => {
      await change([1])
      expect(await claim(one, { claimMs: 300 })).toEqual(['product_1'])
      expect(await claim(one)).toEqual([])
      expect(await owedTo(one)).toEqual(['product_1'])
      expect(await claim(other)).toEqual(['product_1'])
      await change([2])
      expect(await claim(one, { claimMs: 50 })).toContain('product_2')
      await subject.wait(100)
      expect(await claim(one)).toContain('product_2')
    })

    test('what was claimed and not confirmed may be claimed at once', async () => {
      const rows = await change([1])
      expect(await claim(one)).toEqual(['product_1'])
      await call((its, database) => its.outbox.makeOutboxRowsDue(database, rows))
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('a row is not claimed before it is due, and read all the same', async () => {
      const rows = await change([1], undefined, aMinute)
      expect(await claim(one)).toEqual([])
      expect(await owedTo(one)).toEqual(['product_1'])
      await call((its, database) => its.outbox.makeOutboxRowsDue(database, rows))
      expect(await claim(one)).toEqual(['product_1'])
    })

    test('a row stays until every registered store has confirmed it, and is due at once for those that have not', async () => {
      const rows = await change([1, 2], undefined, aMinute)
      expect(await confirm(one, rows.slice(0, 1))).toEqual(['product_1'])
      expect(await owedTo(one)).toEqual(['product_2'])
      expect(await claim(other)).toEqual(['product_1'])
      expect(await confirm(other, rows.slice(0, 1))).toEqual([])
      expect([await owedTo(one), await owedTo(other)]).toEqual([['product_2'], ['product_2']])
    })

    test('rows are owed by stores that were reported in use a short while ago', async () => {
      const rows = await change([1])
      expect(await owed(rows)).toEqual([])
      await report(one)
      expect(await owed(rows)).toEqual(['product_1'])
      await confirm(one, rows)
      expect(await owed(rows)).toEqual([])
      await report(other)
      expect(await owed(rows)).toEqual(['product_1'])
      await subject.wait(30)
      expect(await owed(rows, 20)).toEqual([])
    })

    test('what is owed to nobody any more is tidied away', async () => {
      const rows = await change([1])
      await confirm(one, rows)
      await tidy()
      expect(await owedTo(other)).toEqual(['product_1'])
      await call((its, database) => its.cacheStores.unregisterCacheStore(database, other))
      await tidy()
      expect(await owedTo(other)).toEqual([])
    })

    test('all that is owed is read, each change once, and a namespace with more rows as one', async () => {
      await change([1])
      await change([1, 2])
      expect(await owedTo(one)).toEqual(['product_1', 'product_2'])
      const { changes, lastId } = await read(one, 2)
      expect(changes).toMatchObject([{ namespace: 'products', entry: null, list: null }])
      expect(lastId).toBeGreaterThan(0)
      expect(await call((its, database) => its.outbox.oldestOutboxRow(database, ['others']))).toBeUndefined()
      expect(await call((its, database) => its.outbox.oldestOutboxRow(database, namespaces))).toEqual(expect.any(Number))
    })

    test('what is confirmed is what was committed when it was read', async () => {
      let snapshot = ''
      await change([1], async () => {
        await change([2])
        ;({ snapshot } = await read(one))
      })
      expect(await confirmIn(one, snapshot)).toBe(1)
      expect(await owedTo(one)).toEqual(['product_1'])
      expect(await owedTo(other)).toEqual(['product_1', 'product_2'])
      const later = await read(other)
      expect([await confirmIn(other, later.snapshot, 1), await confirmIn(other, later.snapshot, 1)]).toEqual([1, 1])
      expect(await confirmIn(other, later.snapshot, 1)).toBe(0)
      expect(await owedTo(one)).toEqual(['product_1'])
    })

    test('rows of namespaces that nobody here knows are left alone', async () => {
      await change([1])
      expect(await claim(one, { namespaces: ['others'] })).toEqual([])
      const read = await call((its, database) =>
        its.outbox.readOutbox(database, { store: one, namespaces: ['others'], maxRows: 100 }),
      )
      expect(read).toEqual({ changes: [], snapshot: '', lastId: 0 })
    })

    test('who listens is called when it begins, after every commit, and when rows are left to other stores', async () => {
      let calls = 0
      const { stop } = await call((its, database) => its.outbox.listenToOutbox(database, () => (calls += 1)))
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

    test('changes are read once each, in whatever order their transactions end, in parts', async () => {
      const position = () => call((its, database) => its.liveChanges.currentPosition(database))
      const readOn = async (since: liveChanges.Position, after: liveChanges.Place | null = null, limit = 100) => {
        const reading = await call((its, database) =>
          its.liveChanges.readLiveChanges(database, { since: since.snapshot, until: null, after, limit }),
        )
        expect(reading.isBehind).toBe(false)
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
      await call((its, database) => its.liveChanges.deleteLiveChanges(database, after.position.snapshot))
      expect((await readOn(before)).ids).toEqual([])
    })
  })
}
