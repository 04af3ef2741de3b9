import type { Database } from '../../src/platform/database/connection.js'

/** A frequent query with its expected response body */
export interface HotQuery {
  body: string
  expected: string
}

/** Creates the queries from the rows of the database, which does not change during the run. */
export async function hotQueries(database: Database): Promise<HotQuery[]> {
  return [...(await products(database)), ...(await orders(database))]
}

async function products(database: Database): Promise<HotQuery[]> {
  const rows = await database<{ id: number; name: string; price: number; stock: number; category: string }[]>`
    select id, name, price_cents::float8 / 100 as price, stock, category from products order by id limit 200`
  const query = 'query Product($id: ID!) { product(id: $id) { id name price stock category } }'
  return rows.map(({ id, ...row }) => hotQuery(query, `product_${id}`, { product: { id: `product_${id}`, ...row } }))
}

async function orders(database: Database): Promise<HotQuery[]> {
  const rows = await database<{ id: number; total: number; name: string; products: { name: string; price: number }[] }[]>`
    select orders.id, total_cents::float8 / 100 as total, users.name,
      (select json_agg(json_build_object('name', products.name, 'price', products.price_cents::float8 / 100) order by position)
        from order_items join products on products.id = product_id where order_id = orders.id) as products
    from orders join users on users.id = user_id order by orders.id limit 100`
  const query = 'query Order($id: ID!) { order(id: $id) { id total user { name } products { name price } } }'
  return rows.map(({ id, total, name, products }) =>
    hotQuery(query, `order_${id}`, { order: { id: `order_${id}`, total, user: { name }, products } }),
  )
}

function hotQuery(query: string, id: string, data: unknown): HotQuery {
  return { body: JSON.stringify({ query, variables: { id } }), expected: `${JSON.stringify({ data })}\n` }
}
