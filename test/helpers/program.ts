import { execFileSync, spawnSync } from 'node:child_process'

export interface Program {
  /** Possible commands or paths; the first that runs is used */
  names: readonly string[]
  /** Names of the packages that contain it */
  debian: string
  alpine: string
}

/** Finds an installed program. As root or in CI, installs it if it is missing. null: not found */
export function findProgram({ names, debian, alpine }: Program): string | null {
  const found = runnable(names)
  if (found !== null || !mayInstall()) return found
  install(debian, alpine)
  return runnable(names)
}

function runnable(names: readonly string[]): string | null {
  return names.find((name) => spawnSync(name, ['--version']).status === 0) ?? null
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 || process.env.CI === 'true'
}

function install(debian: string, alpine: string): void {
  const attempts = [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', debian],
    ['apk', 'add', '--quiet', alpine],
  ] as const
  for (const [command, ...args] of attempts) {
    if (spawnSync('which', [command]).status !== 0) continue
    try {
      execFileSync(command, args, {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      })
    } catch {
      // If the installation failed, the program is not found afterwards.
    }
  }
}
