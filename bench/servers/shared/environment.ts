import process from 'node:process'

/** The settings that the benchmark passes to every server */
export const databaseUrl = variable('DATABASE_URL')
/** With a database number: each server has a separate Redis database. */
export const redisUrl = variable('REDIS_URL')
export const address = { host: '127.0.0.1', port: Number(variable('PORT')) }

/** Long enough that nothing expires during the measurement */
export const ttlSeconds = 3600

/** Prints the line that the benchmark waits for. */
export function announce(): void {
  console.log(`Ready: http://${address.host}:${address.port}/graphql`)
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
