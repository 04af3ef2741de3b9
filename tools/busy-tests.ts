import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

const loops = 6

/** Ends with the process that started it, however that ends: the channel between them closes then. */
const loop = `
  process.once('disconnect', () => process.exit())
  const turn = () => {
    const end = performance.now() + 50
    while (performance.now() < end);
    setImmediate(turn)
  }
  turn()`

process.exitCode = await main(process.argv.slice(2))

/** The tests, on a machine that has much else to do. */
async function main(words: readonly string[]): Promise<number> {
  const busy = Array.from({ length: loops }, startLoop)
  // A terminal interrupts the tests as well, and they clean up before they end.
  process.on('SIGINT', () => {})
  const tests = spawn('npx', ['vitest', 'run', ...(words.length > 0 ? words : ['--project', 'quick'])], { stdio: 'inherit' })
  process.on('SIGTERM', () => tests.kill('SIGTERM'))
  const [code] = await once(tests, 'exit')
  for (const child of busy) child.kill()
  return code ?? 1
}

function startLoop(): ChildProcess {
  return spawn(process.execPath, ['--eval', loop], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}
