import type postgres from 'postgres'

/** A postgres.js pool of the application; the engine opens no connections of its own. */
export type Database = postgres.Sql
/** The pool, or a transaction on it */
export type Queryable = postgres.ISql
