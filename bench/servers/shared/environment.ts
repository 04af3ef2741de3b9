import process from 'node:process'

/** The settings that the benchmark passes to every server */
export const databaseUrl = variable('DATABASE_URL')
/** With a database number: each server has a separate Redis database. */
export const redisUrl = variable('REDIS_URL')
export const address = { host: '127.0.0.1', port: Number(variable('PORT')) }

/** The default is long enough that nothing expires during the measurement. */
export const ttlSeconds = Number(process.env.TTL_SECONDS ?? 3600)
/** Whether a write removes what it makes stale from the cache; only for measurements with writes */
export const invalidatesAfterWrite = process.env.INVALIDATE === 'true'
/** Whether the queries ask for the stock of the products */
export const queriesHaveStock = process.env.QUERIES_HAVE_STOCK === 'true'

/** Prints the line that the benchmark waits for. */
export function announce(): void {
  console.log(`Ready: http://${address.host}:${address.port}/graphql`)
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
