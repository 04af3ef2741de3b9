import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database, Queryable } from '../../src/database/connection.js'
import type * as liveChanges from '../../src/database/live-changes.js'
import type * as outbox from '../../src/database/outbox.js'

export interface OutboxSubject {
  outbox: typeof outbox
  liveChanges: typeof liveChanges
  database: Database
  /** Changes these products, 1 to 9, in one statement. */
  write(transaction: Queryable, products: readonly number[]): Promise<void>
  /** Lets time go on until the work is done. */
  call<T>(work: () => Promise<T>): Promise<T>
  wait(ms: number): Promise<void>
  stop(): Promise<unknown>
}

const everything = { namespaces: ['products'], limit: 100, upTo: 0 }

/** What the engine takes the outbox and the live changes of a database for; run against Postgres and against the simulated one. */
export function describeOutboxContract(name: string, start: () => Promise<OutboxSubject>): void {
  describe(`the contract of outbox and live changes: ${name}`, () => {
    let subject: OutboxSubject
    const change = (products: readonly number[], work: (transaction: Queryable) => Promise<void> = async () => {}, delayMs = 0) =>
      subject.call(() =>
        subject.database.begin(async (transaction) => {
          if (delayMs > 0) await transaction`select set_config('shop.relay_delay', ${`${delayMs} milliseconds`}, true)`
          await subject.write(transaction, products)
          await work(transaction)
        }),
      )
    const take = (
      options: Partial<typeof everything> = {},
      deliver: (rows: outbox.OutboxRow[]) => Promise<boolean> = async () => true,
    ) =>
      subject.call(async () => {
        const taken: (string | null)[] = []
        await subject.outbox.takeOutboxRows(subject.database, { ...everything, ...options }, (rows) => {
          taken.push(...rows.map(({ entry }) => entry))
          return deliver([...rows])
        })
        return taken
      })

    beforeAll(async () => {
      subject = await start()
    })
    afterAll(() => subject.stop())
    beforeEach(async () => {
      await take({ upTo: Number.MAX_SAFE_INTEGER })
    })

    test('a transaction finds the rows that it has written, and nobody else does before it commits', async () => {
      await change([1])
      await change([2], async (transaction) => {
        const own = await subject.outbox.ownOutboxRows(transaction)
        expect(own).toMatchObject([{ namespace: 'products', entry: 'product_2', list: null }])
        expect(await take()).toEqual(['product_1'])
      })
      expect(await take()).toEqual(['product_2'])
    })

    test('a transaction that is rolled back leaves nothing', async () => {
      const undone = change([3], () => Promise.reject(new Error('roll back')))
      await expect(undone).rejects.toThrow('roll back')
      expect(await take()).toEqual([])
    })

    test('the oldest rows are taken first, and are gone where they were delivered', async () => {
      for (const product of [1, 2, 3]) await change([product])
      expect(await take({ limit: 2 })).toEqual(['product_1', 'product_2'])
      expect(await take({}, async () => false)).toEqual(['product_3'])
      expect(await take()).toEqual(['product_3'])
      expect(await take()).toEqual([])
    })

    test('a row is not taken before it is due, unless everything up to it is asked for', async () => {
      await change([1], undefined, 200)
      expect(await take()).toEqual([])
      const upTo = await subject.call(() => subject.outbox.lastOutboxRow(subject.database))
      expect(await take({ upTo }, async () => false)).toEqual(['product_1'])
      await subject.wait(250)
      expect(await take()).toEqual(['product_1'])
    })

    test('what one has taken is passed over by another, until the first is done', async () => {
      await change([1])
      const first = take({}, async () => {
        expect(await take()).toEqual([])
        return false
      })
      expect(await first).toEqual(['product_1'])
      expect(await take()).toEqual(['product_1'])
    })

    test('rows of namespaces that nobody here knows are left alone', async () => {
      await change([1])
      expect(await take({ namespaces: ['others'] })).toEqual([])
      const has = (namespaces: string[]) =>
        subject.call(() => subject.outbox.hasOutboxRows(subject.database, namespaces, Number.MAX_SAFE_INTEGER))
      expect([await has(['others']), await has(['products'])]).toEqual([false, true])
    })

    test('rows that are deleted are not taken any more', async () => {
      let own: outbox.OutboxRow[] = []
      await change([1, 2], async (transaction) => {
        own = await subject.outbox.ownOutboxRows(transaction)
      })
      await subject.call(() => subject.outbox.deleteOutboxRows(subject.database, own.slice(0, 1)))
      expect(await take()).toEqual(own.slice(1).map(({ entry }) => entry))
    })

    test('who listens is called when it begins and after every commit', async () => {
      let calls = 0
      const { stop } = await subject.call(() => subject.outbox.listenToOutbox(subject.database, () => (calls += 1)))
      await subject.wait(100)
      expect(calls).toBe(1)
      await change([1, 2])
      await subject.wait(100)
      expect(calls).toBe(2)
      await subject.call(stop)
    })

    test('changes are read once each, in whatever order their transactions end', async () => {
      const position = () => subject.call(() => subject.liveChanges.currentPosition(subject.database))
      const readOn = async (since: liveChanges.Position) => {
        const read = await subject.call(() => subject.liveChanges.readLiveChanges(subject.database, since.snapshot))
        expect(read.isBehind).toBe(false)
        return { position: read.position, ids: read.changes.map(({ ids }) => ids) }
      }
      const before = await position()
      let between = before
      await change([1], async () => {
        await change([2])
        const read = await readOn(before)
        expect(read.ids).toEqual([[2]])
        between = read.position
      })
      const after = await readOn(between)
      expect(after.ids).toEqual([[1]])
      expect((await readOn(after.position)).ids).toEqual([])
      await subject.call(() => subject.liveChanges.deleteLiveChanges(subject.database, after.position.snapshot))
      expect((await readOn(before)).ids).toEqual([])
    })
  })
}
