import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Hub } from '../../src/platform/live/hub.js'
import { Live, type LiveOptions } from '../../src/platform/live/live.js'
import { liveKindsOf } from '../../src/platform/live/outdated.js'
import { entities } from '../../src/shop/entities.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { deferred } from '../helpers/deferred.js'
import { until } from '../helpers/until.js'

describe('live changes', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())

  async function startLive(options: Partial<LiveOptions> = {}) {
    const live = new Live({
      kinds: liveKindsOf(entities),
      ...{ database: database.sql, intervalMs: 20, keptMs: 300_000, maxWaiting: 10, log: () => {}, invalidate: async () => {} },
      ...options,
    })
    await live.start()
    return live
  }

  test('are told only after the cache has forgotten what they outdate, and once more where that fails', async () => {
    const attempts: ReturnType<typeof deferred<void>>[] = []
    const live = await startLive({
      invalidate: () => {
        attempts.push(deferred<void>())
        return attempts.at(-1)?.promise ?? Promise.resolve()
      },
    })
    const stream = await live.subscribe(['product_1'])
    let told: string | undefined
    void stream.next().then(({ value }) => {
      told = value
    })
    await database.sql`update products set stock = stock + 1 where id = 1`
    await until(() => attempts.length === 1)
    attempts[0]?.reject(new Error('no'))
    await until(() => attempts.length === 2)
    expect(told).toBeUndefined()
    attempts[1]?.resolve()
    await until(() => told === 'product_1')
    await stream.return()
    await live.stop()
  })

  test('that could not be read for longer than they are kept end the streams, rather than being left out', async () => {
    const held = deferred<void>()
    let calls = 0
    const live = await startLive({
      keptMs: 500,
      invalidate: () => {
        calls += 1
        return calls === 1 ? held.promise : Promise.resolve()
      },
    })
    const stream = await live.subscribe(['product_2'])
    await database.sql`update products set stock = stock + 1 where id = 2`
    await until(() => calls === 1)
    const ended = (async () => {
      for await (const _ of stream);
    })()
    await database.sql`select pg_sleep(0.6)`
    held.resolve()
    await expect(ended).rejects.toThrow('Changes may have been missed, subscribe again')
    expect(live.streamCount).toBe(0)
    await live.stop()
  })

  test('are deleted when all have had the time to read them', async () => {
    const live = await startLive({ keptMs: 200 })
    await database.sql`update products set stock = stock + 1 where id = 3`
    await until(async () => (await database.sql`select 1 from live_changes`).length === 0)
    await live.stop()
  })

  test('of one transaction are told once each, however many statements it has and however little is read at once', async () => {
    const outdated: number[] = []
    const live = await startLive({
      invalidate: async (changes: readonly unknown[]) => outdated.push(changes.length),
      maxWaiting: 5_000,
    })
    const stream = await live.subscribe(['user_1', 'product_1'])
    await database.sql.unsafe(`do $$ begin
      for i in 1..2500 loop insert into orders (user_id, total_cents) values (1 + i % 2, 100); end loop;
      for i in 1..1500 loop update products set stock = stock + 1 where id = 100 + i % 50; end loop;
    end $$`)
    const orders = await database.sql`select id from orders where user_id = 1 and total_cents = 100 order by id desc limit 1250`
    const told = []
    // More products than are told by number: it may have been this one.
    while (told.length < 1251) told.push((await stream.next()).value)
    expect(told.toSorted()).toEqual(['product_1', ...orders.map(({ id }) => `order_${id}`)].toSorted())
    expect(Math.max(...outdated)).toBeLessThan(100)
    await stream.return()
    await live.stop()
  })

  test('of a transaction that makes more than 10,000 orders end the streams of orders, and only those', async () => {
    const live = await startLive()
    const [orders, products] = [await live.subscribe(['user_1']), await live.subscribe(['product_1'])]
    await database.sql`insert into orders (user_id, total_cents) select 2, 100 from generate_series(1, 10001)`
    await expect(orders.next()).rejects.toThrow('Changes may have been missed, subscribe again')
    await database.sql`update products set stock = stock + 1 where id = 1`
    expect((await products.next()).value).toBe('product_1')
    await products.return()
    await live.stop()
  })

  test('go on where the reading stopped, when the cache fails in the midst of them', async () => {
    let calls = 0
    const live = await startLive({
      maxWaiting: 5_000,
      invalidate: async () => {
        calls += 1
        if (calls === 2) throw new Error('no')
      },
    })
    const stream = await live.subscribe(['user_1'])
    await database.sql.unsafe(
      'do $$ begin for i in 1..600 loop insert into orders (user_id, total_cents) values (1, 100); end loop; end $$',
    )
    const told = []
    while (told.length < 600) told.push((await stream.next()).value)
    await database.sql`insert into orders (user_id, total_cents) values (1, 100)`
    told.push((await stream.next()).value)
    expect(new Set(told).size).toBe(601)
    await stream.return()
    await live.stop()
  })

  test('that were restored from a server with higher numbers of transactions are not told, and go', async () => {
    const live = await startLive({ keptMs: 1_000 })
    const stream = await live.subscribe(['product_1'])
    await database.sql`insert into live_changes (transaction_id, kind, ids) values ('9000000000', 'product', '{1}')`
    await until(async () => (await database.sql`select 1 from live_changes where transaction_id >= '9000000000'`).length === 0)
    await database.sql`update products set stock = stock + 1 where id = 1`
    expect((await stream.next()).value).toBe('product_1')
    const next = stream.next()
    await stream.return()
    expect((await next).done).toBe(true)
    await live.stop()
  })

  test('of everything, after TRUNCATE, are told to all who wait for a product', async () => {
    const live = await startLive()
    const stream = await live.subscribe(['product_1', 'product_2'])
    await database.sql`truncate products`
    expect([(await stream.next()).value, (await stream.next()).value].sort()).toEqual(['product_1', 'product_2'])
    await stream.return()
    await live.stop()
  })
})

describe('a stream', () => {
  test('keeps an id once while its reader is busy, and forgets nothing that came after it was taken', async () => {
    const hub = new Hub(10)
    const stream = hub.open(['a', 'b'])
    for (const id of ['a', 'a', 'b', 'a']) hub.tell(id, id)
    expect((await stream.next()).value).toBe('a')
    hub.tell('a', 'a')
    expect((await stream.next()).value).toBe('b')
    expect((await stream.next()).value).toBe('a')
    const waiting = stream.next()
    await stream.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect([hub.streamCount, hub.has('a')]).toEqual([0, false])
  })

  test('fails once when more waits than is kept', async () => {
    const hub = new Hub(2)
    const stream = hub.open(['user_1'])
    for (const id of ['order_1', 'order_2', 'order_3']) hub.tell('user_1', id)
    await expect(stream.next()).rejects.toThrow('More waits for this reader than is kept')
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(hub.streamCount).toBe(0)
  })
})
