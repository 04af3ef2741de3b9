import process from 'node:process'

/** What the bench tells every server. */
export const databaseUrl = variable('DATABASE_URL')
/** With a database number: each server has a Redis database of its own. */
export const redisUrl = variable('REDIS_URL')
export const address = { host: '127.0.0.1', port: Number(variable('PORT')) }

/** So long that nothing expires while it is measured. */
export const ttlSeconds = 3600

/** The line that the bench waits for */
export function announce(): void {
  console.log(`Ready: http://${address.host}:${address.port}/graphql`)
}

function variable(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  return value
}
