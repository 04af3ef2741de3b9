import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

// npm run dev. tsx waits for changes after the program has ended, so the usage is printed without it. The server has no other options.

const args = process.argv.slice(2)
const server = fileURLToPath(new URL('../src/main.ts', import.meta.url))

if (args.length > 0) {
  const command = ['--import', import.meta.resolve('tsx'), server, ...args]
  process.exitCode = spawnSync(process.execPath, command, { stdio: 'inherit' }).status ?? 1
} else {
  const watched = ['src', 'packages/*/src'].flatMap((folder) => ['--include', `${folder}/**/*`])
  process.argv.push('watch', '--clear-screen=false', ...watched, server)
  // In this process, so that signals reach the watcher.
  await import('tsx/cli')
}
