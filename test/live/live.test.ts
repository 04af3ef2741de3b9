import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Hub } from '../../src/platform/live/hub.js'
import { liveKindsOf } from '../../src/platform/live/invalidation-targets.js'
import { LiveUpdates, type LiveUpdatesOptions } from '../../src/platform/live/live-updates.js'
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

  async function startLive(options: Partial<LiveUpdatesOptions> = {}) {
    const live = new LiveUpdates({
      kinds: liveKindsOf(entities),
      ...{
        database: database.sql,
        pollIntervalMs: 20,
        retentionMs: 300_000,
        maxQueued: 10,
        log: () => {},
        invalidate: async () => {},
      },
      ...options,
    })
    await live.start()
    return live
  }

  test('are published only after the invalidation, which is retried if it fails', async () => {
    const attempts: ReturnType<typeof deferred<void>>[] = []
    const live = await startLive({
      invalidate: () => {
        attempts.push(deferred<void>())
        return attempts.at(-1)?.promise ?? Promise.resolve()
      },
    })
    const stream = await live.subscribe(['product_1'])
    let published: string | undefined
    void stream.next().then(({ value }) => {
      published = value
    })
    await database.sql`update products set stock = stock + 1 where id = 1`
    await until(() => attempts.length === 1)
    attempts[0]?.reject(new Error('no'))
    await until(() => attempts.length === 2)
    expect(published).toBeUndefined()
    attempts[1]?.resolve()
    await until(() => published === 'product_1')
    await stream.return()
    await live.stop()
  })

  test('that could not be read within the retention end the streams', async () => {
    const invalidation = deferred<void>()
    let calls = 0
    const live = await startLive({
      retentionMs: 500,
      invalidate: () => {
        calls += 1
        return calls === 1 ? invalidation.promise : Promise.resolve()
      },
    })
    const stream = await live.subscribe(['product_2'])
    await database.sql`update products set stock = stock + 1 where id = 2`
    await until(() => calls === 1)
    const ended = (async () => {
      for await (const _ of stream);
    })()
    await database.sql`select pg_sleep(0.6)`
    invalidation.resolve()
    await expect(ended).rejects.toThrow('Changes may have been missed: subscribe again')
    expect(live.streamCount).toBe(0)
    await live.stop()
  })

  test('are deleted after the retention', async () => {
    const live = await startLive({ retentionMs: 200 })
    await database.sql`update products set stock = stock + 1 where id = 3`
    await until(async () => (await database.sql`select 1 from live_changes`).length === 0)
    await live.stop()
  })

  test('of a transaction with more statements than a batch are published once each', async () => {
    const outdated: number[] = []
    const live = await startLive({
      invalidate: async (changes: readonly unknown[]) => outdated.push(changes.length),
      maxQueued: 5_000,
    })
    const stream = await live.subscribe(['user_1', 'product_1'])
    await database.sql.unsafe(`do $$ begin
      for i in 1..2500 loop insert into orders (user_id, total_cents) values (1 + i % 2, 100); end loop;
      for i in 1..1500 loop update products set stock = stock + 1 where id = 100 + i % 50; end loop;
    end $$`)
    const orders = await database.sql`select id from orders where user_id = 1 and total_cents = 100 order by id desc limit 1250`
    const received = []
    // Too many products to list: any subscribed product may be among them.
    while (received.length < 1251) received.push((await stream.next()).value)
    expect(received.toSorted()).toEqual(['product_1', ...orders.map(({ id }) => `order_${id}`)].toSorted())
    expect(Math.max(...outdated)).toBeLessThan(100)
    await stream.return()
    await live.stop()
  })

  test('of a transaction that creates more than 10,000 orders end the streams of orders only', async () => {
    const live = await startLive()
    const [orders, products] = [await live.subscribe(['user_1']), await live.subscribe(['product_1'])]
    await database.sql`insert into orders (user_id, total_cents) select 2, 100 from generate_series(1, 10001)`
    await expect(orders.next()).rejects.toThrow('Changes may have been missed: subscribe again')
    await database.sql`update products set stock = stock + 1 where id = 1`
    expect((await products.next()).value).toBe('product_1')
    await products.return()
    await live.stop()
  })

  test('continue with the same batch after the invalidation failed', async () => {
    let calls = 0
    const live = await startLive({
      maxQueued: 5_000,
      invalidate: async () => {
        calls += 1
        if (calls === 2) throw new Error('no')
      },
    })
    const stream = await live.subscribe(['user_1'])
    await database.sql.unsafe(
      'do $$ begin for i in 1..600 loop insert into orders (user_id, total_cents) values (1, 100); end loop; end $$',
    )
    const received = []
    while (received.length < 600) received.push((await stream.next()).value)
    await database.sql`insert into orders (user_id, total_cents) values (1, 100)`
    received.push((await stream.next()).value)
    expect(new Set(received).size).toBe(601)
    await stream.return()
    await live.stop()
  })

  test('restored from a server with higher transaction ids are not published, and are deleted', async () => {
    const live = await startLive({ retentionMs: 1_000 })
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

  test('by TRUNCATE are published to every subscriber of a product', async () => {
    const live = await startLive()
    const stream = await live.subscribe(['product_1', 'product_2'])
    await database.sql`truncate products cascade`
    expect([(await stream.next()).value, (await stream.next()).value].sort()).toEqual(['product_1', 'product_2'])
    await stream.return()
    await live.stop()
  })
})

describe('a stream', () => {
  test('queues an id once while its reader is busy, and queues it again after it was read', async () => {
    const hub = new Hub(10)
    const stream = hub.subscribe(['a', 'b'])
    for (const id of ['a', 'a', 'b', 'a']) hub.publish(id, id)
    expect((await stream.next()).value).toBe('a')
    hub.publish('a', 'a')
    expect((await stream.next()).value).toBe('b')
    expect((await stream.next()).value).toBe('a')
    const waiting = stream.next()
    await stream.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect([hub.streamCount, hub.hasSubscribers('a')]).toEqual([0, false])
  })

  test('fails once if more ids than maxQueued are queued', async () => {
    const hub = new Hub(2)
    const stream = hub.subscribe(['user_1'])
    for (const id of ['order_1', 'order_2', 'order_3']) hub.publish('user_1', id)
    await expect(stream.next()).rejects.toThrow('too many events are waiting for it')
    expect(await stream.next()).toEqual({ done: true, value: undefined })
    expect(hub.streamCount).toBe(0)
  })
})
