import type { Database } from '../../src/platform/database/connection.js'
import { loadDemoData } from '../../src/platform/database/demo-data.js'
import { migrate } from '../../src/wiring/migrate.js'
import { shopSize } from './queries.js'

const { users, products, orders, frequentBuyers } = shopSize
/** The other users have one order each. */
const single = users - frequentBuyers

/** Creates the same rows every time. Users and products come from the demo data; each order has 3 different products. */
export async function seed(database: Database): Promise<void> {
  await migrate(database)
  await loadDemoData(database, { users, products, orders: 0 })
  await database`
    insert into orders (id, user_id, total_cents, created_at)
    select id,
      case when id <= ${single}::int then ${frequentBuyers}::int + id else 1 + (id - ${single}::int - 1) % ${frequentBuyers}::int end,
      0, '2025-01-01T00:00:00Z'::timestamptz + id * interval '1 minute 7.013 seconds'
    from generate_series(1, ${orders}::bigint) id`
  // Multiplication modulo a prime near the number of products scatters the products, so that consecutive orders have none in
  // common.
  await database`
    insert into order_items (order_id, position, product_id, price_cents)
    select bought.id, position, product.id, price_cents
    from generate_series(1, ${orders}::bigint) bought(id)
    cross join generate_series(0, 2) position
    join products product on product.id = 1 + (bought.id * 3 + position) * 1877 % 4999`
  await database`
    update orders set total_cents = (select sum(price_cents) from order_items where order_id = orders.id)`
  await database`select setval(pg_get_serial_sequence('orders', 'id')::regclass, ${orders})`
  await database`vacuum (full, analyze) users, products, orders, order_items`
}
