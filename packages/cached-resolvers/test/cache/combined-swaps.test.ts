import { expect, test } from 'vitest'
import { CombinedSwaps } from '../../src/cache/combined-swaps.js'
import type { Swap, SwapAnswer } from '../../src/cache/store.js'

const swapOf = (key: string): Swap => ({ key, when: { state: 'absent' }, value: '1', ttlMs: null })
const swapsOf = (count: number) => Array.from({ length: count }, (_, index) => swapOf(`key ${index}`))

/** Answers each swap with its key, and records the keys of each command. */
function record() {
  const commands: string[][] = []
  const combined = new CombinedSwaps(async (swaps) => {
    commands.push(swaps.map(({ key }) => key))
    return swaps.map(({ key }): SwapAnswer => ({ swapped: false, current: key }))
  })
  const swap = async (...keys: string[]) =>
    (await combined.swap(keys.map(swapOf))).map((answer) => (answer.swapped ? null : answer.current))
  return { commands, combined, swap }
}

test('swaps of one iteration of the event loop are one command, and each caller gets its own answers', async () => {
  const { commands, swap } = record()
  const answers = await Promise.all([swap('a', 'b'), Promise.resolve().then(() => swap('c')), swap('a')])
  expect(answers).toEqual([['a', 'b'], ['c'], ['a']])
  expect(commands).toEqual([['a', 'b', 'a', 'c']])
})

test('swaps of the next iteration are another command', async () => {
  const { commands, swap } = record()
  await swap('a')
  await swap('b')
  expect(commands).toEqual([['a'], ['b']])
})

test('a batch that is large enough is not extended', async () => {
  const { commands, combined } = record()
  await Promise.all([combined.swap(swapsOf(200)), combined.swap(swapsOf(200)), combined.swap(swapsOf(10))])
  expect(commands.map(({ length }) => length)).toEqual([400, 10])
})

test('if the command fails, its callers learn the error, and the next command is sent', async () => {
  const errors = [new Error('lost')]
  const combined = new CombinedSwaps(async (swaps) => {
    const error = errors.pop()
    if (error) throw error
    return swaps.map(() => ({ swapped: true }))
  })
  const failed = await Promise.allSettled([combined.swap([swapOf('a')]), combined.swap([swapOf('b')])])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await combined.swap([swapOf('a')])).toEqual([{ swapped: true }])
})
