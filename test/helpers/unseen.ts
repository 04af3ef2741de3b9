import type { TestDatabase } from './database.js'

/** Changes the shop's products in a way that nothing hears of, not even who takes the triggers away. */
export async function changeProductsUnseen({ sql }: Pick<TestDatabase, 'sql'>, statement: string): Promise<void> {
  await sql.begin(async (transaction) => {
    await transaction`drop event trigger if exists cache_ddl`
    await transaction`alter table products disable trigger all`
    await transaction.unsafe(statement)
    await transaction`alter table products enable trigger all`
  })
}
