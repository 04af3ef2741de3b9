import type { Database } from './connection.js'

/** Any number will do, as long as every process asks for the same lock. */
const lockId = 7_310_427

/**
 * Makes DDL on the shop's tables invalidate what it changes. Answers whether it does: only a superuser may create event triggers. A start
 * that may do so later makes up for it.
 */
export async function ensureEventTriggers(database: Database): Promise<boolean> {
  try {
    await database.begin(async (transaction) => {
      await transaction`select pg_advisory_xact_lock(${lockId})`
      const present = await transaction`select evtname from pg_event_trigger where evtname in ('shop_ddl', 'shop_dropped')`
      if (present.length < 2) await transaction.unsafe(definition).simple()
    })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === insufficientPrivilege) return false
    throw error
  }
}

const definition = `
  drop event trigger if exists shop_ddl;
  drop event trigger if exists shop_dropped;
  create event trigger shop_ddl on ddl_command_end
    when tag in ('ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER VIEW', 'CREATE VIEW')
    execute function shop_ddl();
  create event trigger shop_dropped on sql_drop execute function shop_dropped();
  alter event trigger shop_ddl enable always;
  alter event trigger shop_dropped enable always;`
const insufficientPrivilege = '42501'
