export interface SessionLimits {
  statementTimeoutMs: number
  mayLoseCommits: boolean
}

/**
 * What the server does first in each session. Neither the driver's startup parameters would do, which poolers refuse, nor the defaults of
 * database and role, which others set for their own purposes. `default_transaction_read_only` is left alone: it keeps writers away on purpose.
 */
export function sessionSetup({ statementTimeoutMs, mayLoseCommits }: SessionLimits): string {
  const settings = {
    ...fixedSettings,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: idleInTransactionMs,
    ...(mayLoseCommits && { synchronous_commit: 'off' }),
  }
  const rows = Object.entries(settings).map(([name, value]) => `('${name}', '${value}')`)
  // Those that this version of Postgres does not know have nothing to be set.
  return `${refuseStandby};
    select set_config(name, value, false) from (values ${rows.join(', ')}) settings (name, value)
    where current_setting(name, true) is not null`
}

/** What the texts of values, as the driver reads and writes them, and the outcome of transactions hang on */
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

/** A standby shows old rows, takes no writes, and is where an address leads for a while during a failover. */
const refuseStandby = `do $$ begin
    if pg_is_in_recovery() then
      raise exception 'This server is a standby, not the primary' using errcode = 'read_only_sql_transaction';
    end if;
  end $$`

/** A process that was frozen inside a transaction must not hold its locks for ever. */
const idleInTransactionMs = 10_000
