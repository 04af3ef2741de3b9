import { findProgram } from './program.js'

/** The Redis (or Valkey) server of this machine; null where there is none. */
export function findRedisServer(): string | null {
  return findProgram({ names: ['redis-server', 'valkey-server'], debian: 'redis-server', alpine: 'redis' })
}

export const howToInstall = 'apt-get install redis-server (Debian, Ubuntu), apk add redis (Alpine), brew install redis (macOS)'
