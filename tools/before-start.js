import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import process from 'node:process'
import { parseArgs } from 'node:util'

// JavaScript, because a production installation has nothing that runs TypeScript.

const usage = `Usage: npm run prestart
Runs before npm start: builds the server if the build tools are installed, and otherwise checks that it was built before.\n`

const help = readHelpOption()
if (help === undefined) process.exitCode = 2
else if (help) process.stdout.write(usage)
else if (isInstalled('esbuild')) build()
else if (existsSync('dist/main.js') && existsSync('packages/cached-resolvers/dist/index.js'))
  process.stdout.write('The build tools are not installed: starting the existing build.\n')
else refuse()

/** Returns undefined, after printing why, if there are other arguments. */
function readHelpOption() {
  try {
    return parseArgs({ options: { help: { type: 'boolean', default: false } } }).values.help
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`)
    return undefined
  }
}

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
  process.stderr.write(`dist/main.js does not exist, and the packages that build it are not installed, as with NODE_ENV=production or --omit=dev.
Install them with: npm ci --include=dev
Or build first and omit them afterwards: docs/deployment.md\n`)
  process.exitCode = 1
}
