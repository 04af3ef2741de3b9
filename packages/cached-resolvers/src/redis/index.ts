export type { RedisTarget } from './redis-clients.js'
export { RedisStore } from './redis-store.js'
