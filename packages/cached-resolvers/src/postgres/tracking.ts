import { readFile } from 'node:fs/promises'
import type { TransactionSql } from 'postgres'
import type { NamespaceRules } from '../loaders/rules.js'
import type { Database } from './database.js'

/** Of what the declarations of entities say, all that concerns the database */
export type Followed = Readonly<Record<string, { readonly rules: readonly NamespaceRules[] }>>

/**
 * Makes the database note what every commit makes wrong, by whomever it was made: creates the cache's tables and functions in the current
 * schema, and triggers on the tables that the entities name. Several processes may call it at once; it does nothing where all is there. The
 * tables have to exist, and to be owned by the user of the connection. Rejects where a declaration cannot work.
 */
export async function followEntities(database: Database, entities: Followed): Promise<void> {
  await inTransaction(database, installTables)
  const { declare, watch, end } = statements(entities)
  for (const together of [declare, ...watch.map((statement) => [statement]), end])
    await inTransaction(database, async (transaction) => {
      for (const statement of together) await transaction.unsafe(statement)
    })
}

/**
 * The same as a script, for an application's own migrations: to be run again with every new version, and when declarations change. Outside
 * of a transaction, so that no lock on a table is held for longer than it takes to make triggers on it.
 */
export async function trackingSql(entities: Followed): Promise<string> {
  const { declare, watch, end } = statements(entities)
  const events = `do $do$ begin ${eventTriggers} exception when insufficient_privilege then
  raise warning 'DDL does not invalidate what it changes: only a superuser may create event triggers'; end $do$`
  return [
    `set lock_timeout = ${lockTimeoutMs};`,
    `select set_config('search_path', quote_ident(current_schema()) || ', pg_temp', false);`,
    await readTables(),
    ...[...declare, events, ...watch, ...end].map((statement) => `${statement};`),
    '',
  ].join('\n')
}

async function inTransaction(database: Database, work: (transaction: TransactionSql) => Promise<unknown>): Promise<void> {
  await database.begin(async (transaction) => {
    // While this waits for a table in use, every statement on that table waits behind it.
    await transaction`
      select set_config('lock_timeout', ${`${lockTimeoutMs}`}, true), set_config('statement_timeout', '0', true),
        set_config('client_min_messages', 'warning', true)`
    await work(transaction)
  })
}

async function installTables(transaction: TransactionSql): Promise<void> {
  await transaction`select pg_advisory_xact_lock(${lockId})`
  await transaction`create table if not exists cache_schema (version int not null)`
  const [installed] = await transaction<{ version: number }[]>`select max(version) as version from cache_schema`
  if (installed?.version != null && installed.version >= schemaVersion) return
  // Functions keep it: temporary tables, which anybody may have, come last.
  await transaction`select set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)`
  await transaction.unsafe(await readTables()).simple()
  await transaction`insert into cache_schema (version) values (${schemaVersion})`
}

function statements(entities: Followed) {
  const all = Object.values(entities).flatMap(({ rules }) => rules)
  const twice = all.find(({ namespace }, index) => all.findIndex((other) => other.namespace === namespace) !== index)
  if (twice) throw new Error(`Two entities or lists have the namespace "${twice.namespace}"`)
  const tables = new Set(all.flatMap(({ rules }) => rules.map(({ table }) => table)))
  return {
    declare: all.map(
      ({ namespace, version, rules }) => `select cache_follow(${quote(namespace)}, ${version}, ${quote(JSON.stringify(rules))})`,
    ),
    watch: [...tables].map((table) => `select cache_watch(${quote(table)})`),
    end: all.map(({ namespace, version }) => `select cache_followed(${quote(namespace)}, ${version})`),
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function readTables(): Promise<string> {
  return readFile(new URL('./tables.sql', import.meta.url), 'utf8')
}

/**
 * Makes DDL on tables that are followed invalidate what it changes. Answers whether it does: only a superuser may create event triggers. A
 * call that may do so later makes up for it.
 */
export async function ensureEventTriggers(database: Database): Promise<boolean> {
  try {
    await inTransaction(database, async (transaction) => {
      await transaction`select pg_advisory_xact_lock(${lockId})`
      const present = await transaction`select evtname from pg_event_trigger where evtname in ('cache_ddl', 'cache_drop')`
      if (present.length < 2) await transaction.unsafe(eventTriggers).simple()
    })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === insufficientPrivilege) return false
    throw error
  }
}

const eventTriggers = `
  drop event trigger if exists cache_ddl;
  drop event trigger if exists cache_drop;
  create event trigger cache_ddl on ddl_command_end
    when tag in ('ALTER TABLE', 'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER VIEW', 'CREATE VIEW')
    execute function cache_ddl();
  create event trigger cache_drop on sql_drop execute function cache_drop();
  alter event trigger cache_ddl enable always;
  alter event trigger cache_drop enable always;`

/** To be raised with every change of tables.sql */
const schemaVersion = 2
/** Any number will do, as long as every process asks for the same lock. */
const lockId = 7_310_427
const lockTimeoutMs = 3_000
const insufficientPrivilege = '42501'
