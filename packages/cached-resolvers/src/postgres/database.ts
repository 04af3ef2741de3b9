import type postgres from 'postgres'

/** A pool of postgres.js, of the application: the engine opens no connection. Columns of type bigint have to be read as numbers. */
export type Database = postgres.Sql
/** What a query runs on: the pool, or a transaction on it */
export type Queryable = postgres.ISql
