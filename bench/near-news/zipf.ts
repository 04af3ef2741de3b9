import type { Random } from '../../torture/random.js'

/** Numbers from 0 on; how often one is picked falls as it rises: 1, 1/2, 1/3 and so on. */
export function zipf(count: number, random: Random): () => number {
  const sums = sumsOfWeights(count)
  return () => indexOfFirstNotBelow(sums, random.next() * (sums.at(-1) as number))
}

function sumsOfWeights(count: number): Float64Array {
  let sum = 0
  return Float64Array.from({ length: count }, (_, index) => {
    sum += 1 / (index + 1)
    return sum
  })
}

function indexOfFirstNotBelow(sorted: Float64Array, aim: number): number {
  let [low, high] = [0, sorted.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) < aim) low = middle + 1
    else high = middle
  }
  return low
}
