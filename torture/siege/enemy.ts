import process from 'node:process'
import { Random } from '../random.js'
import { Arena } from './arena.js'
import { type AttackName, attackNames, attacks } from './attacks.js'

// A process of its own, so that what it does takes no time from the honest clients. It prints what it begins, three attacks at a time, each
// of them once before any comes again, until it is ended.

const atOnce = 3

const [port, seed, seconds, only] = process.argv.slice(2) as [string, string, string, AttackName | undefined]
const random = new Random(Number(seed), 'order')

for (let pass = 0; ; pass += 1) {
  const left = only === undefined ? shuffled(attackNames) : [only]
  while (left.length > 0) await strike(left.splice(0, atOnce), pass)
}

async function strike(names: readonly AttackName[], pass: number): Promise<void> {
  console.log(names.join(', '))
  const endsAt = performance.now() + Number(seconds) * 1_000
  const arenas = names.map((name) => ({
    name,
    arena: new Arena(Number(port), new Random(Number(seed), `${pass} ${name}`), endsAt),
  }))
  const close = () => {
    for (const { arena } of arenas) arena.close()
  }
  // What still waits for the server then fails.
  const closing = setTimeout(() => close(), Number(seconds) * 1_000)
  await Promise.all(arenas.map(({ name, arena }) => attacks[name](arena)))
  clearTimeout(closing)
  close()
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}
