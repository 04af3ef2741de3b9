import { findProgram } from './program.js'

/** Finds the Redis or Valkey server of this machine. null: not found */
export function findRedisServer(): string | null {
  return findProgram({ names: ['redis-server', 'valkey-server'], debian: 'redis-server', alpine: 'redis' })
}

export const howToInstall = 'apt-get install redis-server (Debian, Ubuntu), apk add redis (Alpine), brew install redis (macOS)'
