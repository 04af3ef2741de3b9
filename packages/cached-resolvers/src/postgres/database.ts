import type postgres from 'postgres'

/** A pool of postgres.js, of the application: the engine opens no connection. */
export type Database = postgres.Sql
/** What a query runs on: the pool, or a transaction on it */
export type Queryable = postgres.ISql
