import type { TestDatabase } from './database.js'

/** Changes products without firing the triggers on products and without the event trigger that detects their removal. */
export async function changeProductsWithoutTriggers({ sql }: Pick<TestDatabase, 'sql'>, statement: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`drop event trigger if exists cache_ddl`
    await transaction`alter table products disable trigger all`
    await transaction.unsafe(statement)
    await transaction`alter table products enable trigger all`
  })
}
