import type { Database } from '../../src/platform/database/connection.js'

/** A hash of all rows, by table */
export async function fingerprint(database: Database): Promise<Record<string, string>> {
  const prints: Record<string, string> = {}
  for (const table of ['users', 'products', 'orders', 'order_items', 'idempotency_keys']) {
    const [row] = await database`
      select count(*) || ' rows, ' || coalesce(md5(string_agg(rows::text, chr(10) order by rows::text)), '-') as print
      from ${database(table)} rows`
    prints[table] = row?.print
  }
  return prints
}
