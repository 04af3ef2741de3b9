import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'

// In JavaScript, and called by npm only: an installation for production has nothing that runs TypeScript.
if (isInstalled('esbuild')) build()
else if (existsSync('dist/main.js') && existsSync('packages/cached-resolvers/dist/index.js'))
  process.stdout.write('What builds is not installed: this is what was built before.\n')
else refuse()

function isInstalled(name) {
  try {
    return createRequire(import.meta.url).resolve(name) !== ''
  } catch {
    return false
  }
}

function build() {
  const npm = [process.env.npm_execpath, 'run', '--silent', 'build']
  process.exitCode = spawnSync(process.execPath, npm, { stdio: 'inherit' }).status ?? 1
}

function refuse() {
  process.stderr.write(`There is no dist/main.js yet, and the packages that build it are not installed, as with NODE_ENV=production or --omit=dev.
Install them with: npm ci --include=dev
Or build first and leave them out afterwards: docs/deployment.md\n`)
  process.exitCode = 1
}
