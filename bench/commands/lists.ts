import type { ListFilter, Page, PageQuery } from 'cached-resolvers'
import { startCachedEntities } from 'cached-resolvers/postgres'
import { RedisStore } from 'cached-resolvers/redis'
import type { TransactionSql } from 'postgres'
import type { Database } from '../../src/platform/database/connection.js'
import { type Product, priceBounds, productSorts, products } from '../../src/shop/products/product.js'
import { Random } from '../../torture/random.js'
import { listItems, pageOf, readShopRows } from '../../torture/shop-rows.js'
import type { BenchContext } from '../harness/context.js'
import { openShop } from '../harness/shop.js'
import { zipf } from '../harness/zipf.js'
import type { Options } from '../options.js'
import type { ListRule, ListsRow } from '../report/results.js'
import { quantile } from '../report/statistics.js'
import { writeSection } from '../report/write.js'

const rules: readonly ListRule[] = ['names', 'every change', 'TTL']
/** TTL of pages with the rule `TTL` */
const ttlMs = 10_000
const pageSize = 20
/** One of so many reads is compared with the rows. */
const comparedReads = 25

/**
 * Reads pages of sorted and filtered lists while products change, with three rules of which pages a change invalidates: ours, every
 * page at every change of a product, and none (pages expire). One client sends the operations one after another.
 */
export async function lists({ quick }: Options, context: BenchContext): Promise<string> {
  const operations = quick ? 2_000 : 60_000
  const rows: ListsRow[] = []
  for (const rule of rules) {
    const { database, redis } = await openShop(context)
    const row = await measure(database, redis.url, rule, operations)
    rows.push(row)
    context.print(
      `${rule}: ${(100 * row.hitShare).toFixed(2)} % hits, ${row.refetched} refetched, ${row.unchanged} of them unchanged`,
    )
  }
  return writeSection('lists', { operations, ttlMs, rows }, { quick })
}

async function measure(database: Database, redisUrl: string, rule: ListRule, operations: number): Promise<ListsRow> {
  const fetches = new FetchedPages()
  const { cache, createLoaders, write, stop } = await startCachedEntities({
    entities: { products: withRule(rule, fetches) },
    database,
    store: new RedisStore({ target: redisUrl, prefix: 'cache' }),
  })
  if (rule !== 'names') {
    // The migration of the shop has declared the rules of all lists.
    await database`delete from cache_rules where namespace = 'product-lists'`
    await database`select cache_write_triggers('products')`
  }
  const shop = await readShopRows(database)
  const traffic = new Traffic(new Random(1, 'lists'), shop.products as Map<string, Product>)
  const readUs: number[] = []
  let stale = 0
  for (let operation = 0; operation < operations; operation += 1) {
    if (operation % 20 === 19) {
      const change = traffic.nextChange()
      await write(async (sql) => {
        await change(sql)
        if (rule === 'every change') await sql`insert into cache_outbox (namespace) values ('product-lists')`
      })
      continue
    }
    const page = traffic.nextPage()
    const startedAt = performance.now()
    const found = await createLoaders().productLists.loadPage(page)
    readUs.push(1000 * (performance.now() - startedAt))
    if (readUs.length % comparedReads !== 0) continue
    const expected = pageOf(listItems(shop, { kind: 'products', page }), page)
    if (found.ids.join() !== expected.ids.join()) stale += 1
  }
  const { hits, misses } = cache.ownCounts({ name: 'product-lists' })
  await stop()
  readUs.sort((a, b) => a - b)
  return {
    rule,
    hitShare: hits / (hits + misses),
    refetched: fetches.refetched,
    unchanged: fetches.unchanged,
    stalePerMillion: (1e6 * stale * comparedReads) / readUs.length,
    p50Us: quantile(readUs, 0.5),
    p99Us: quantile(readUs, 0.99),
  }
}

/** Notices pages that are fetched again, and whether they have changed since the fetch before. */
class FetchedPages {
  refetched = 0
  unchanged = 0
  private readonly last = new Map<string, string>()

  add(found: ReadonlyMap<PageQuery, Page>): void {
    for (const [query, page] of found) {
      const [key, text] = [JSON.stringify(query), JSON.stringify(page)]
      const before = this.last.get(key)
      if (before !== undefined) this.refetched += 1
      if (before === text) this.unchanged += 1
      this.last.set(key, text)
    }
  }
}

type Products = typeof products

function withRule(rule: ListRule, fetches: FetchedPages): Products {
  const { productLists } = products.lists
  const namespace = rule === 'TTL' ? { ...productLists.namespace, softTtlMs: ttlMs, graceMs: 0 } : productLists.namespace
  const pages: typeof productLists.pages = async (database, queries) => {
    const found = await productLists.pages(database, queries)
    fetches.add(found)
    return found
  }
  return {
    ...products,
    lists: { productLists: { ...productLists, namespace, pages } },
  } as Products
}

/** 95 % reads of pages and 5 % changes, both with the popularity of Zipf's law (exponent 0.99) */
class Traffic {
  private readonly pages: readonly PageQuery[]
  private readonly pickPage: () => number
  private readonly pickProduct: () => number
  private readonly ids: string[]
  private readonly categories: string[]

  constructor(
    private readonly random: Random,
    private readonly products: Map<string, Product>,
  ) {
    this.ids = shuffled([...products.keys()], random)
    this.categories = [...new Set([...products.values()].map(({ category }) => category))]
    this.pages = shuffled(allPages([null, ...this.categories]), random)
    const [pickPage, pickProduct] = [zipf(this.pages.length), zipf(this.ids.length)]
    this.pickPage = () => pickPage(random.next())
    this.pickProduct = () => pickProduct(random.next())
  }

  nextPage(): PageQuery {
    return this.pages[this.pickPage()] as PageQuery
  }

  /** Returns a function that writes the change. Of the changes, 80 % are of the stock, 15 % of the price, 5 % new or moved products. */
  nextChange(): (sql: TransactionSql) => Promise<unknown> {
    const id = this.ids[this.pickProduct()] as string
    const product = this.products.get(id) as Product
    const number = Number(id.slice(id.lastIndexOf('_') + 1))
    const kind = this.random.next()
    if (kind < 0.8) {
      product.stock = product.stock > 0 ? product.stock - 1 : 20
      return (sql) => sql`update products set stock = ${product.stock} where id = ${number}`
    }
    if (kind < 0.95) {
      const cents = Math.max(100, Math.round(product.price * this.random.between(90, 110)))
      product.price = cents / 100
      return (sql) => sql`update products set price_cents = ${cents} where id = ${number}`
    }
    const category = this.random.pick(this.categories)
    if (kind < 0.975) {
      product.category = category
      return (sql) => sql`update products set category = ${category} where id = ${number}`
    }
    const added = { name: `New ${this.products.size}`, price: this.random.between(500, 50_000) / 100, stock: 10, category }
    return async (sql) => {
      const [row] = await sql`
        insert into products (name, price_cents, stock, category)
        values (${added.name}, ${Math.round(added.price * 100)}, ${added.stock}, ${category}) returning id`
      this.products.set(`product_${row?.id}`, { id: `product_${row?.id}`, ...added })
    }
  }
}

/** The first page of every list in every order, with the filters that a shop would offer */
function allPages(categories: readonly (string | null)[]): PageQuery[] {
  const ranges = [null, ...priceBounds].map((min, index) => ({ price: { min, max: priceBounds[index] ?? null } }))
  const filters: (ListFilter | undefined)[] = [undefined, { inStock: true }, ...ranges]
  const sorts = [undefined, ...Object.keys(productSorts)]
  return categories.flatMap((list) =>
    sorts.flatMap((sort) =>
      filters.map((filter) => ({
        ...{ list, after: null, before: null, size: pageSize, from: 'start' as const },
        ...(sort !== undefined && { sort }),
        ...(filter && { filter }),
      })),
    ),
  )
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, key: random.next() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item)
}
