import type postgres from 'postgres'

/** A postgres.js pool of the application; the engine opens no connections of its own. */
export type Database = postgres.Sql
/** A pool, or a transaction on one of its connections */
export type Queryable = postgres.ISql
