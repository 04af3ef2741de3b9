import { execFileSync, spawnSync } from 'node:child_process'

const servers = ['redis-server', 'valkey-server']

/** The Redis (or Valkey) server of this machine, installed first where that is ours to do; null where there is none. */
export function findRedisServer(): string | null {
  return onPath() ?? (mayInstall() ? install() : null)
}

export const howToInstall = 'apt-get install redis-server (Debian, Ubuntu), apk add redis (Alpine), brew install redis (macOS)'

function onPath(): string | null {
  return servers.find((server) => spawnSync(server, ['--version']).status === 0) ?? null
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 || process.env.CI === 'true'
}

function install(): string | null {
  const attempts = [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'redis-server'],
    ['apk', 'add', '--quiet', 'redis'],
  ] as const
  for (const [command, ...args] of attempts) {
    if (spawnSync('which', [command]).status !== 0) continue
    try {
      execFileSync(command, args, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      })
    } catch {
      // What could not be installed is not on the PATH below.
    }
  }
  return onPath()
}
