import { describe, expect, onTestFinished, test } from 'vitest'
import { compareEntries } from '../torture/compare-entries.js'
import { FaultWindows } from '../torture/fault-windows.js'
import { Ledger } from '../torture/ledger.js'
import { observe } from '../torture/observations.js'
import { readOptions } from '../torture/options.js'
import { Random } from '../torture/random.js'
import { pageOf, readShopRows } from '../torture/shop-rows.js'
import { startTestApp } from './helpers/app.js'
import { noRedis, startRedis } from './helpers/redis.js'
import { until } from './helpers/until.js'
import { changeProductsWithoutTriggers } from './helpers/without-triggers.js'

describe('the ledger', () => {
  test('the age of an answer counts from the first acknowledged write that it does not show', () => {
    const ledger = new Ledger()
    ledger.open('user_1')
    ledger.acknowledge([ledger.begin('user_1')], 100, 'prompt mutation')
    ledger.acknowledge([ledger.begin('user_1')], 200, 'statement')
    expect(ledger.age('user_1', 0, 250)).toBe(150)
    expect(ledger.age('user_1', 1, 250)).toBe(50)
    expect(ledger.age('user_1', 2, 250)).toBeNull()
    // Only the first write was acknowledged when the read started.
    expect(ledger.age('user_1', 1, 150)).toBeNull()
  })

  test('writes by mutations are distinguished from writes by SQL', () => {
    const ledger = new Ledger()
    ledger.open('user_1')
    ledger.acknowledge([ledger.begin('user_1')], 100, 'statement')
    ledger.acknowledge([ledger.begin('user_1')], 200, 'prompt mutation')
    ledger.acknowledge([ledger.begin('user_1')], 300, 'statement')
    expect(ledger.age('user_1', 0, 150, 'prompt mutation')).toBeNull()
    expect(ledger.age('user_1', 0, 350, 'prompt mutation')).toBe(150)
    expect(ledger.age('user_1', 1, 350, 'prompt mutation')).toBe(150)
    expect(ledger.age('user_1', 2, 350, 'prompt mutation')).toBeNull()
    expect(ledger.age('user_1', 2, 350)).toBe(50)
  })

  test('a write without acknowledgement may be visible or not', () => {
    const ledger = new Ledger()
    ledger.open('user_1')
    ledger.begin('user_1')
    expect(ledger.age('user_1', 0, 1_000)).toBeNull()
    expect(ledger.age('user_1', 1, 1_000)).toBeNull()
  })

  test('a missing row counts as the version of its last deletion', () => {
    const ledger = new Ledger()
    ledger.open('user_1')
    expect(ledger.age('user_1', 'gone', 10)).not.toBeNull()
    ledger.acknowledge([ledger.begin('user_1', true)], 100, 'statement')
    expect(ledger.age('user_1', 'gone', 150)).toBeNull()
    expect(ledger.age('user_1', 0, 150)).toBe(50)
    ledger.acknowledge([ledger.begin('user_1')], 200, 'statement')
    expect(ledger.age('user_1', 'gone', 250)).toBe(50)
  })

  test('writes of the same row are serialized, also after a failed write', async () => {
    const ledger = new Ledger()
    const order: string[] = []
    const slow = ledger.runExclusively(['a', 'b'], async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      order.push('first')
      throw new Error('lost')
    })
    const next = ledger.runExclusively(['b'], async () => void order.push('second'))
    await expect(slow).rejects.toThrow('lost')
    await next
    expect(order).toEqual(['first', 'second'])
  })
})

test('versions are found at any depth of an answer', () => {
  const product = { id: 'product_2', name: 'product_2 v7', price: 4.27, stock: 3 }
  const data = { a0: null, order: { id: 'order_1', productIds: ['product_1', 'product_2'], products: [null, product] } }
  expect(observe(data, ['user_9'])).toEqual([
    { cell: 'user_9', seen: 'gone' },
    { cell: 'product_1', seen: 'gone' },
    { cell: 'product_2', seen: 7 },
    { cell: 'product_2.stock', seen: 3 },
  ])
})

test('the window of a fault is extended after its end', () => {
  const windows = new FaultWindows(50)
  windows.begin('first', () => 100)()
  windows.begin('second', () => 145)
  const during = (from: number, to: number) => windows.faultsDuring(from, to)
  expect([during(80, 99), during(90, 110), during(150, 160), during(151, 160)]).toEqual([
    ...[[], ['first'], ['first', 'second'], ['second']],
  ])
  windows.addStall('third', 300, 20)
  expect([windows.stallsDuring(270, 279), windows.stallsDuring(270, 280), windows.stallsDuring(350, 360)]).toEqual([
    ...[[], ['third'], ['third']],
  ])
})

test('pages are taken from either end of a list', () => {
  const items = ['p_9', 'p_7', 'p_4', 'p_2'].map((id) => ({ id, value: 0 }))
  expect(pageOf(items, { list: null, after: 9, before: null, size: 2, from: 'start' })).toEqual({
    ...{ ids: ['p_7', 'p_4'], hasPrevious: true, hasNext: true },
  })
  expect(pageOf(items, { list: null, after: null, before: 2, size: 2, from: 'end' })).toEqual({
    ...{ ids: ['p_7', 'p_4'], hasPrevious: true, hasNext: true },
  })
})

test('equal seeds give equal sequences, different for every actor', () => {
  const draw = (seed: number, name: string) => {
    const random = new Random(seed, name)
    return [random.next(), random.next(), random.next()]
  }
  expect(draw(1, 'reader')).toEqual(draw(1, 'reader'))
  expect(draw(1, 'reader')).not.toEqual(draw(2, 'reader'))
  expect(draw(1, 'reader')).not.toEqual(draw(1, 'writer'))
})

test('an invalid option is named in the error', () => {
  expect(readOptions(['--seconds', '7', '--protection', 'none'], 3)).toEqual({
    ...{ seconds: 7, seed: 3, protection: 'none', processes: 2, store: 'redis', help: false },
  })
  expect(() => readOptions(['--seconds', 'soon'], 3)).toThrow('--seconds')
  expect(() => readOptions(['--protection', 'some'], 3)).toThrow('--protection')
  expect(() => readOptions(['--store', 'disk'], 3)).toThrow('--store')
})

test.skipIf(noRedis)(
  'the comparison in the quiet period finds an entry that differs from the database, and no other',
  async () => {
    const redis = await startRedis()
    onTestFinished(redis.stop)
    const app = await startTestApp({ redisUrl: redis.url })
    onTestFinished(app.stop)
    const compare = async () => compareEntries(redis.client, await readShopRows(app.database.sql), [])
    await app.query('{ user(id: "user_1") { name } product(id: "product_1") { name } }')
    await until(async () => (await compare()).compared === 2)
    expect((await compare()).differences).toEqual([])

    await changeProductsWithoutTriggers(app.database, "update products set name = 'Renamed in secret' where id = 1")
    expect((await compare()).differences).toMatchObject([
      { key: 'ecommerce:v1:products:product_1', expected: { name: 'Renamed in secret' } },
    ])
  },
)
