import process from 'node:process'
import { Random } from '../random.js'
import { AttackSession } from './attack-session.js'
import { type AttackName, attackNames, attacks } from './attacks.js'

// A separate process, so that the attacks do not take CPU time from the event loop of the honest clients. Runs three attacks at a
// time, each once before any is repeated, until it is killed, and prints the names of the attacks that it starts.

const concurrency = 3

const [port, seed, seconds, only] = process.argv.slice(2) as [string, string, string, AttackName | undefined]
const random = new Random(Number(seed), 'order')

for (let pass = 0; ; pass += 1) {
  const left = only === undefined ? shuffled(attackNames) : [only]
  while (left.length > 0) await runAttacks(left.splice(0, concurrency), pass)
}

async function runAttacks(names: readonly AttackName[], pass: number): Promise<void> {
  console.log(names.join(', '))
  const endsAt = performance.now() + Number(seconds) * 1_000
  const sessions = names.map((name) => ({
    name,
    session: new AttackSession(Number(port), new Random(Number(seed), `${pass} ${name}`), endsAt),
  }))
  const close = () => {
    for (const { session } of sessions) session.close()
  }
  // Requests that still wait for the server then fail.
  const closing = setTimeout(() => close(), Number(seconds) * 1_000)
  await Promise.all(sessions.map(({ name, session }) => attacks[name](session)))
  clearTimeout(closing)
  close()
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
