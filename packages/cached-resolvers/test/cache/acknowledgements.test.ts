import { describe, expect, test } from 'vitest'
import { Acknowledgements } from '../../src/cache/acknowledgements.js'

const longMs = 600_000

describe('a removal that members have to acknowledge', () => {
  test('ends when all members have acknowledged its number or a larger one', async () => {
    const acknowledgements = new Acknowledgements()
    const silent = acknowledgements.trackRemoval().waitFor(7, new Map(['one', 'other'].map((member) => [member, longMs])))
    acknowledgements.acknowledge('one', 7)
    acknowledgements.acknowledge('other', 6)
    acknowledgements.acknowledge('nobody', 7)
    acknowledgements.acknowledge('other', 9)
    expect(await silent).toEqual([])
  })

  test('may be acknowledged before its number is known in this process', async () => {
    const acknowledgements = new Acknowledgements()
    const removal = acknowledgements.trackRemoval()
    acknowledgements.acknowledge('one', 7)
    expect(await removal.waitFor(7, new Map([['one', longMs]]))).toEqual([])
  })

  test('ends for a silent member when the lease of that member expires', async () => {
    const acknowledgements = new Acknowledgements()
    acknowledgements.acknowledge('one', 7)
    expect(await acknowledgements.trackRemoval().waitFor(7, new Map([['one', 5]]))).toEqual(['one'])
  })

  test('that no member has to acknowledge ends at once', async () => {
    expect(await new Acknowledgements().trackRemoval().waitFor(7, new Map())).toEqual([])
  })
})
