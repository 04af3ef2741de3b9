/**
 * What keeps the near stores of several processes right at the least price: the bus of RedisWatch, or Redis client tracking?
 * Every round runs all variants, one after the other, with the same sequence of reads and removals, each on a server of its own.
 *
 *   npx tsx bench/near-news/main.ts [--rounds 5] [--seconds 15] [--seed 1] [--soft-ttl-seconds 300]
 *
 * Counts and CPU time say more than wall time on a machine that does other work too.
 */
import { parseArgs } from 'node:util'
import type { Figures } from './figures.js'
import { measure } from './measure.js'
import { type RoundFigures, report } from './report.js'
import { type Variant, variantNames } from './variants.js'

const text = { type: 'string' } as const
const { values } = parseArgs({ options: { rounds: text, seconds: text, seed: text, 'soft-ttl-seconds': text } })
const rounds = Number(values.rounds ?? 5)
const seconds = Number(values.seconds ?? 15)
const firstSeed = Number(values.seed ?? 1)
const softTtlMs = 1000 * Number(values['soft-ttl-seconds'] ?? 300)

const measured: RoundFigures[] = []
for (let round = 0; round < rounds; round += 1) measured.push(await runRound(firstSeed + round))
console.log(report(measured, { seconds, softTtlMs }))

async function runRound(seed: number): Promise<RoundFigures> {
  const figures = new Map<Variant, Figures>()
  for (const variant of variantNames) {
    figures.set(variant, await measure({ variant, seed, seconds, softTtlMs }))
    process.stderr.write(`seed ${seed} ${variant} ${JSON.stringify(figures.get(variant))}\n`)
  }
  return figures
}
