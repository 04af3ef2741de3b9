import { readFile } from 'node:fs/promises'
import type { TransactionSql } from 'postgres'
import type { NamespaceRules } from '../loaders/invalidation-rules.js'
import type { Database } from './database.js'

/** The part of declared entities that change tracking needs: their invalidation rules */
export type TrackedEntities = Readonly<Record<string, { readonly rules: readonly NamespaceRules[] }>>

/**
 * Installs change tracking: the database then records what each commit invalidates, regardless of the program that commits.
 * Creates the tables and functions of the cache in the current schema, and triggers on the tables of the entities. Several
 * processes may call this function at the same time. It changes nothing if everything is installed. The tables of the entities
 * must exist and be owned by the user of the connection. Rejects if a declaration is invalid.
 */
export async function installTracking(database: Database, entities: TrackedEntities): Promise<void> {
  await inTransaction(database, installTables)
  const { follow, watch, complete } = trackingStatements(entities)
  const transactions = [follow, ...watch.map((statement) => [statement]), complete]
  for (const statements of transactions)
    await inTransaction(database, (transaction) => transaction.unsafe(statements.join(';')).simple())
}

/**
 * Returns an SQL script that installs change tracking (see installTracking), for the migrations of an application. Run the script
 * again with every new version of cached-resolvers and when declarations change. Run it outside of a transaction, so that a lock
 * on a table is held only while the triggers of that table are created.
 */
export async function trackingSql(entities: TrackedEntities): Promise<string> {
  const { follow, watch, complete } = trackingStatements(entities)
  const events = `do $do$ begin ${eventTriggers} exception when insufficient_privilege then
  raise warning 'The event triggers of the cache were not created, which requires a superuser. Unless they exist already, DDL will not invalidate cached entries'; end $do$`
  return [
    `set lock_timeout = ${lockTimeoutMs};`,
    `select set_config('search_path', quote_ident(current_schema()) || ', pg_temp', false);`,
    await readTables(),
    ...[...follow, events, ...watch, ...complete].map((statement) => `${statement};`),
    '',
  ].join('\n')
}

async function inTransaction(database: Database, work: (transaction: TransactionSql) => Promise<unknown>): Promise<void> {
  await database.begin(async (transaction) => {
    // lock_timeout is short because all other statements on a table queue behind a statement that waits for its lock.
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
  // Functions keep the search_path of their creation. pg_temp is last, so that temporary tables of a session cannot shadow the
  // tables of the cache.
  await transaction`select set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)`
  await transaction.unsafe(await readTables()).simple()
  await transaction`insert into cache_schema (version) values (${schemaVersion})`
}

function trackingStatements(entities: TrackedEntities) {
  const all = Object.values(entities).flatMap(({ rules }) => rules)
  const duplicate = all.find(({ namespace }, index) => all.findIndex((other) => other.namespace === namespace) !== index)
  if (duplicate) throw new Error(`Two entities or lists have the namespace "${duplicate.namespace}": rename one of them`)
  const tables = new Set(all.flatMap(({ rules }) => rules.map(({ table }) => table)))
  return {
    follow: all.map(
      ({ namespace, version, rules }) => `select cache_follow(${quote(namespace)}, ${version}, ${quote(JSON.stringify(rules))})`,
    ),
    watch: [...tables].map((table) => `select cache_watch(${quote(table)})`),
    complete: all.map(({ namespace, version }) => `select cache_followed(${quote(namespace)}, ${version})`),
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function readTables(): Promise<string> {
  return readFile(new URL('./tables.sql', import.meta.url), 'utf8')
}

/**
 * Creates the event triggers that invalidate cached entries after DDL on tracked tables, unless they exist. Returns false if one
 * is missing and the user is not a superuser, which creating event triggers requires.
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

/** Version of the objects in tables.sql. Increment the version whenever tables.sql changes. */
const schemaVersion = 3
/** Id of the advisory lock that serializes installations. The number is arbitrary, but must be equal in all processes. */
const lockId = 7_310_427
const lockTimeoutMs = 3_000
const insufficientPrivilege = '42501'
