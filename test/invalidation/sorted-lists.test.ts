import type { ListFilter, ListQuery, Page, PageQuery, Range } from 'cached-resolvers'
import { defineTableEntity, installTracking, type TableListOptions } from 'cached-resolvers/postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { namesInvalidating } from '../../packages/cached-resolvers/src/cache/namespace.js'
import { entryIdOf } from '../../packages/cached-resolvers/src/loaders/reads.js'
import { Random } from '../../torture/random.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'

const fresh = { softMs: 1, graceMs: 1, negativeMs: 1 }
const toValue = (_row: object, id: string) => ({ id })
const items = (list: TableListOptions) =>
  defineTableEntity({ table: 'items', kind: 'item', fresh, toValue, lists: { itemLists: { name: 'item-lists', ...list } } })

const declared = {
  key: 'category',
  withAll: true,
  prefix: 'category:',
  sorts: {
    PRICE_ASC: { column: 'price', direction: 'asc' },
    PRICE_DESC: { column: 'price', direction: 'desc' },
    NAME_ASC: { column: 'name', direction: 'asc', collation: 'und-x-icu' },
    OLDEST: { column: 'id', direction: 'asc' },
  },
  filters: { inStock: { column: 'stock', greaterThan: 0 }, price: { column: 'price', bounds: [10, 20, 30] } },
} as const

let database: TestDatabase
beforeAll(async () => {
  database = await createDatabase()
  await database.sql`
    create table items (id bigint primary key, category text, price int not null, name text not null, stock int)`
})
afterAll(() => database.drop())

/** Returns the names of lists that a transaction of these statements invalidates; '*' is the whole namespace. */
async function invalidated(...statements: string[]): Promise<string[]> {
  await database.sql`delete from cache_outbox`
  await database.sql.begin(async (sql) => {
    for (const statement of statements) await sql.unsafe(statement)
  })
  const rows = await database.sql`select distinct list from cache_outbox where namespace = 'item-lists'`
  return rows.map(({ list }) => list ?? '*').sort()
}

describe('the names that a change invalidates', () => {
  beforeAll(async () => {
    await installTracking(database.sql, { items: items(declared) })
    await database.sql`
      insert into items select id, case when id % 2 = 0 then 'A' else 'B' end, id * 5, 'item ' || id, id from generate_series(1, 8) id`
  })

  const inAll = (...suffixes: string[]) => suffixes.map((suffix) => `all${suffix}`)
  const inCategory = (category: string, ...suffixes: string[]) => suffixes.map((suffix) => `category:${category}${suffix}`)
  const inBoth = (...suffixes: string[]) => [...inAll(...suffixes), ...inCategory('A', ...suffixes)]

  test.each([
    ['update items set stock = 11 where id = 2', []],
    ['update items set stock = 0 where id = 2', inBoth(' where inStock')],
    ['update items set stock = null where id = 2', []],
    ['update items set stock = 1 where id = 2', inBoth(' where inStock')],
    ["update items set name = 'x' where id = 2", inBoth(' by name')],
    // From 10, which is in two bands, to the second of these
    ['update items set price = 12 where id = 2', inBoth(' by price 0', ' by price 1', ' price 0')],
    ['update items set price = 13 where id = 2', inBoth(' by price 1')],
    [
      'update items set price = 30 where id = 2',
      inBoth(' by price 1', ' by price 2', ' by price 3', ' price 1', ' price 2', ' price 3'),
    ],
    [
      "update items set category = 'B' where id = 2",
      ['A', 'B'].flatMap((category) => inCategory(category, '', ' by price 2', ' by price 3', ' price 2', ' price 3')),
    ],
    ['update items set category = null where id = 2', inCategory('B', '', ' by price 2', ' by price 3', ' price 2', ' price 3')],
    ['delete from items where id = 2', inAll('', ' by price 2', ' by price 3', ' price 2', ' price 3')],
    ["insert into items values (2, 'A', 9, 'item 2', 0)", inBoth('', ' by price 0', ' price 0')],
    ['update items set id = 9 where id = 2', inBoth('', ' by price 0', ' price 0')],
    ['update items set stock = stock, price = price, name = name, category = category', []],
  ])('%s', async (statement, expected) => {
    expect(await invalidated(statement)).toEqual(expected)
  })

  test('rows that logical replication applies invalidate the same names', async () => {
    const replicated = (statement: string) => invalidated('set local session_replication_role = replica', statement)
    expect(await replicated('update items set price = 25, stock = 0 where id = 4')).toEqual(
      inBoth(' by price 1', ' by price 2', ' price 1', ' where inStock'),
    )
    const inserted = inBoth('', ' by price 0', ' price 0')
    expect(await replicated("insert into items values (20, 'A', 9, 'item 20', 0)")).toEqual(inserted)
    expect(await replicated('delete from items where id = 20')).toEqual(inserted)
  })
})

test('after a change of a column that a list is sorted or filtered by, writes succeed and invalidate the other pages', async () => {
  await installTracking(database.sql, { items: items(declared) })
  await database.sql`delete from items`
  await database.sql`alter table items rename column stock to units`
  await database.sql`alter table items alter column price type numeric`
  await database.sql`select cache_write_triggers('items')`
  expect(await invalidated("insert into items values (1, 'A', 9, 'item 1', 0)")).toEqual(['all', 'category:A'])
  expect(await invalidated("update items set name = 'z', price = 10, units = 4")).toEqual(['all by name', 'category:A by name'])
  await database.sql`alter table items rename column units to stock`
  await database.sql`alter table items alter column price type int`
  await database.sql`select cache_write_triggers('items')`
})

test('cache_invalidate() of a list invalidates the pages with a range, too', async () => {
  await installTracking(database.sql, { items: items(declared) })
  expect(await invalidated("select cache_invalidate('item-lists', 'category:A')")).toEqual(['*'])
})

test.each([
  ['a column that may be null', { sorts: { S: { column: 'stock', direction: 'asc' } } }, 'may be null'],
  ['a text column without a collation', { sorts: { S: { column: 'name', direction: 'asc' } } }, 'is no integer column'],
  ['a column that does not exist', { sorts: { S: { column: 'colour', direction: 'asc' } } }, 'has no column "colour"'],
  ['a filter by text', { filters: { f: { column: 'name', greaterThan: 1 } } }, 'is no integer, as filters need it'],
] as const)('the start fails with a clear error for %s', async (_case, list, message) => {
  await expect(installTracking(database.sql, { items: items(list) })).rejects.toThrow(message)
})

test('bounds must be given in ascending order, 15 at most, and bounds and conditions must be whole numbers', () => {
  const withBounds = (bounds: number[]) => () => items({ filters: { price: { column: 'price', bounds } } })
  expect(withBounds([])).toThrow('bounds must be 1 to 15 whole numbers in ascending order')
  expect(withBounds([2, 1])).toThrow('bounds must be 1 to 15 whole numbers in ascending order')
  expect(withBounds([1, Number.POSITIVE_INFINITY])).toThrow('whole numbers')
  expect(withBounds([1.5])).toThrow('whole numbers')
  expect(() => items({ filters: { price: { column: 'price', greaterThan: 0.5 } } })).toThrow('greaterThan must be a whole number')
  expect(withBounds(Array.from({ length: 16 }, (_, index) => index))).toThrow('bounds must be 1 to 15 whole numbers')
})

test.each([1, 2, 3])('pages have the rows of the list, in its order, in both directions, seed %i', async (seed) => {
  const random = new Random(seed, 'pages')
  const entity = items(declared)
  await database.sql`delete from items`
  for (let id = 1; id <= 40; id += 1) await database.sql.unsafe(insertOf(random, id))
  const queries = Array.from({ length: 3 }, () => randomQueries(random, declared)).flat()
  const found = await read(entity, queries)
  for (const [index, query] of queries.entries()) {
    expect(JSON.parse(found[index] as string), JSON.stringify(query)).toEqual(await readPlainly(query))
  }
})

/** Reads all rows of the list in order, and takes the page from them. */
async function readPlainly(query: Query): Promise<unknown> {
  const { list, filter = {} } = query
  const { price, inStock } = filter as { price?: Range; inStock?: boolean }
  const { sort = '', after = null, before = null, afterValue, beforeValue } = 'count' in query ? {} : query
  const key = sort.startsWith('PRICE') ? 'price' : sort === 'NAME_ASC' ? 'name collate "und-x-icu"' : '1'
  const isAscending = sort.endsWith('ASC') || sort === 'OLDEST'
  const literal = (value: unknown) => (typeof value === 'string' ? `'${value}'` : (value ?? 1))
  const [beyond, short, direction] = isAscending ? ['>', '<', 'asc'] : ['<', '>', 'desc']
  const rows = await database.sql.unsafe(`
    select id, price, name, ${after === null ? 'true' : `(${key}, id) ${beyond} (${literal(afterValue)}, ${after})`} as is_after,
      ${before === null ? 'true' : `(${key}, id) ${short} (${literal(beforeValue)}, ${before})`} as is_before
    from items
    where ${list === null ? 'true' : `category = '${list}'`} and price between ${price?.min ?? -1} and ${price?.max ?? 1000}
      and ${inStock === undefined ? 'true' : inStock ? 'coalesce(stock, 0) > 0' : 'coalesce(stock, 0) <= 0'}
    order by ${key === '1' ? '' : `${key} ${direction},`} id ${direction}`)
  if ('count' in query) return rows.length
  const range = rows.filter(({ is_after, is_before }) => is_after && is_before)
  const page = query.from === 'start' ? range.slice(0, query.size) : range.slice(Math.max(0, range.length - query.size))
  const isCut = range.length > query.size
  const column = key.split(' ')[0] as string
  const next = query.from === 'start' ? range[query.size] : range.at(-query.size - 1)
  return {
    ids: page.map(({ id }) => `item_${id}`),
    ...(key !== '1' && page.length > 0 && { values: page.map((row) => row[column]) }),
    ...(key === 'price' && next && { next: next[column] }),
    hasPrevious: rows.some(({ is_after }) => !is_after) || (query.from === 'end' && isCut),
    hasNext: rows.some(({ is_before }) => !is_before) || (query.from === 'start' && isCut),
  }
}

/**
 * Random declarations, rows and changes: after each change, every page whose contents changed must depend on a name that the change
 * invalidated.
 */
test.each([1, 2, 3, 4, 5, 6, 7, 8])('no page remains stale: random lists and changes, seed %i', async (seed) => {
  const random = new Random(seed, 'lists')
  const list = randomList(random)
  const entity = items(list)
  await database.sql`delete from items`
  await installTracking(database.sql, { items: entity })
  for (let id = 1; id <= 30; id += 1) await database.sql.unsafe(insertOf(random, id))
  const queries = randomQueries(random, list)
  let before = await read(entity, queries)
  let [invalidations, inVain] = [0, 0]
  for (let round = 0; round < 40; round += 1) {
    const change = Array.from({ length: random.between(1, 2) }, () => randomChange(random))
    const names = new Set(await invalidated(...change))
    const after = await read(entity, queries)
    const stale = queries.filter((query, index) => {
      const id = entryIdOf(entity.lists.itemLists, query)
      const count = id.relevantDependencyCount?.(JSON.parse(before[index] as string))
      const isInvalidated =
        names.has('*') ||
        namesInvalidating(id)
          .slice(0, count)
          .some((one) => names.has(one))
      if (isInvalidated) invalidations += 1
      if (isInvalidated && after[index] === before[index]) inVain += 1
      return after[index] !== before[index] && !isInvalidated
    })
    expect(stale, `after ${change.join('; ')} (${[...names].join(', ')})`).toEqual([])
    before = after
  }
  // The rows are few and the changes large, so many pages of a list change at once. npm run bench -- lists has realistic figures.
  expect(inVain / invalidations).toBeLessThan(0.9)
})

type Query = PageQuery | (ListQuery & { count: true })

async function read(entity: ReturnType<typeof items>, queries: readonly Query[]): Promise<string[]> {
  const { pages, counts } = entity.lists.itemLists
  const pageQueries = queries.filter((query): query is PageQuery => !('count' in query))
  const countQueries = queries.filter((query) => 'count' in query)
  const found = new Map<Query, Page | number>([
    ...(await pages(database.sql, pageQueries)),
    ...((await counts(database.sql, countQueries)) as Map<Query, number>),
  ])
  return queries.map((query) => JSON.stringify(found.get(query)))
}

function randomList(random: Random): TableListOptions {
  const { sorts, filters } = declared
  const some = <T extends object>(options: T) =>
    Object.fromEntries(Object.entries(options).filter(() => random.chance(0.7))) as Partial<T>
  const keyed = random.chance(0.8) ? { key: 'category', withAll: random.chance(0.8), prefix: 'category:' } : {}
  const bounds = [5, 10, 20, 30, 40].filter(() => random.chance(0.6))
  const price = { column: 'price', bounds: bounds.length > 0 ? bounds : [15] }
  const ids = { column: 'id', bounds: [10, 20] }
  return { ...keyed, sorts: some(sorts), filters: some({ ...filters, price, ids }) }
}

function randomQueries(
  random: Random,
  { key, withAll = key === undefined, sorts = {}, filters = {} }: TableListOptions,
): Query[] {
  const lists = [...(withAll ? [null] : []), ...(key === undefined ? [] : ['A', 'B', 'C'])]
  return Array.from({ length: 60 }, (): Query => {
    const list = random.pick(lists)
    const filter: Record<string, ListFilter[string]> = {}
    if (filters.inStock && random.chance(0.4)) filter.inStock = random.chance(0.5)
    for (const [name, range] of Object.entries(filters))
      if ('bounds' in range && random.chance(0.4))
        filter[name] = { min: random.pick([null, ...range.bounds]), max: random.pick([null, ...range.bounds]) }
    const query = { list, ...(Object.keys(filter).length > 0 && { filter }) }
    if (random.chance(0.2)) return { ...query, count: true }
    const sort = random.pick([undefined, ...Object.keys(sorts)])
    const column = sort === undefined ? 'id' : sorts[sort]?.column
    const position = (name: 'after' | 'before') => {
      if (random.chance(0.6)) return { [name]: null }
      const value = column === 'price' ? random.between(0, 45) : column === 'name' ? random.pick(names) : undefined
      return { [name]: random.between(1, 40), ...(value !== undefined && { [`${name}Value`]: value }) }
    }
    const page = { ...query, ...(sort !== undefined && { sort }), ...position('after'), ...position('before') }
    return { ...page, size: random.between(0, 6), from: random.pick(['start', 'end']) } as PageQuery
  })
}

/** Few different values, so that rows with equal values are frequent */
const names = ['a', 'A', 'b', 'ä', 'z 1', 'z-1', '']

const textOf = (random: Random) => `'${random.pick(names)}'`
const categoryOf = (random: Random) => random.pick(["'A'", "'B'", "'C'", 'null'])
const stockOf = (random: Random) => random.pick(['0', '1', '5', 'null'])

function insertOf(random: Random, id: number): string {
  return `insert into items values (${id}, ${categoryOf(random)}, ${random.between(0, 45)}, ${textOf(random)}, ${stockOf(random)})
    on conflict do nothing`
}

function randomChange(random: Random): string {
  const id = random.between(1, 35)
  return random.pick([
    () => insertOf(random, id),
    () => `delete from items where id = ${id}`,
    () => `update items set stock = ${stockOf(random)} where id = ${id}`,
    () => `update items set price = ${random.between(0, 45)} where id = ${id}`,
    () => `update items set name = ${textOf(random)} where id = ${id}`,
    () => `update items set category = ${categoryOf(random)} where id = ${id}`,
    () => `update items set price = price + 3, stock = 0 where id between ${id} and ${id + 3}`,
    () =>
      `update items set id = id + 100, name = ${textOf(random)} where id = ${id}
        and not exists (select 1 from items where id = ${id + 100})`,
  ])()
}
