/** Exponent of Zipf's law, as YCSB has it by default */
const exponent = 0.99

/**
 * Returns a function from a random number between 0 and 1 (exclusive) to an index below `length`. The index k is drawn with a probability
 * proportional to 1 / (k + 1) ** 0.99, so the first ones most often.
 */
export function zipf(length: number): (random: number) => number {
  const sums = new Float64Array(length)
  let sum = 0
  for (let index = 0; index < length; index += 1) {
    sum += (index + 1) ** -exponent
    sums[index] = sum
  }
  return (random) => {
    const point = random * sum
    let [low, high] = [0, length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) <= point) low = middle + 1
      else high = middle
    }
    return low
  }
}
