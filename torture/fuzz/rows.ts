import type { Database } from '../../src/platform/database/connection.js'

/** Of every row of the shop, in a few letters for each table */
export async function fingerprint(database: Database): Promise<Record<string, string>> {
  const prints: Record<string, string> = {}
  for (const table of ['users', 'products', 'orders', 'order_items', 'idempotency_keys']) {
    const [row] = await database`
      select count(*) || ' rows, ' || coalesce(md5(string_agg(its::text, chr(10) order by its::text)), '-') as print
      from ${database(table)} its`
    prints[table] = row?.print
  }
  return prints
}
