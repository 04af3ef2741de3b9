import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { runCommand } from '../src/commands/run-command.js'

const usage = `Usage: npm run test:busy -- [arguments of vitest]
Runs the quick tests, or the given ones, beside busy processes that occupy the CPU.`
const loops = 6

/** Ends with its parent, however that ends: the IPC channel closes then. */
const loop = `
  process.once('disconnect', () => process.exit())
  const turn = () => {
    const end = performance.now() + 50
    while (performance.now() < end);
    setImmediate(turn)
  }
  turn()`

process.exitCode = await runCommand({ usage, readOptions: () => readOptions(process.argv.slice(2)), run: runTests })

/** All arguments other than --help are passed to vitest. */
function readOptions(args: string[]) {
  const { values } = parseArgs({ args, options: { help: { type: 'boolean' } }, strict: false, allowPositionals: true })
  return { help: values.help === true, args }
}

async function runTests({ args }: ReturnType<typeof readOptions>): Promise<number> {
  const busyProcesses = Array.from({ length: loops }, startLoop)
  // Ctrl-C reaches the tests as well; wait until they have cleaned up.
  process.on('SIGINT', () => {})
  const tests = spawn('npx', ['vitest', 'run', ...(args.length > 0 ? args : ['--project', 'quick'])], { stdio: 'inherit' })
  process.on('SIGTERM', () => tests.kill('SIGTERM'))
  const [code] = await once(tests, 'exit')
  for (const child of busyProcesses) child.kill()
  return code ?? 1
}

function startLoop(): ChildProcess {
  return spawn(process.execPath, ['--eval', loop], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}
