export interface SessionSettings {
  statementTimeoutMs: number
  asynchronousCommit: boolean
}

/**
 * Returns the SQL that runs first in each session. Startup parameters cannot be used because poolers refuse them. Defaults of the
 * database or role cannot be used because operators set them for other purposes. `default_transaction_read_only` is not changed,
 * because operators set it to prevent writes.
 */
export function sessionSetup({ statementTimeoutMs, asynchronousCommit }: SessionSettings): string {
  const settings = {
    ...fixedSettings,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    ...(asynchronousCommit && { synchronous_commit: 'off' }),
  }
  const rows = Object.entries(settings).map(([name, value]) => `('${name}', '${value}')`)
  // Skips settings that this version of Postgres does not have.
  return `${refuseStandby};
    select set_config(name, value, false) from (values ${rows.join(', ')}) settings (name, value)
    where current_setting(name, true) is not null`
}

/** Settings that affect the text format of values, which the driver reads and writes, or the outcome of transactions */
const fixedSettings = {
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  bytea_output: 'hex',
  extra_float_digits: 1,
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  lock_timeout: 0,
  transaction_timeout: 0,
  idle_session_timeout: 0,
}

/** A standby returns outdated rows and accepts no writes. During a failover the address may resolve to one for a while. */
const refuseStandby = `do $$ begin
    if pg_is_in_recovery() then
      raise exception 'This server is a standby, not the primary' using errcode = 'read_only_sql_transaction';
    end if;
  end $$`

/** Bounds how long a process that is frozen inside a transaction holds its locks. */
const idleInTransactionMs = 10_000
