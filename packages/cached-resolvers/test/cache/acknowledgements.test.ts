import { describe, expect, test } from 'vitest'
import { Acknowledgements } from '../../src/cache/acknowledgements.js'

const longMs = 600_000

describe('a removal that members have to acknowledge', () => {
  test('is over when all of them have, with its number or a larger one', async () => {
    const acknowledgements = new Acknowledgements()
    const silent = acknowledgements.expect().waitFor(7, new Map(['one', 'other'].map((member) => [member, longMs])))
    acknowledgements.acknowledge('one', 7)
    acknowledgements.acknowledge('other', 6)
    acknowledgements.acknowledge('nobody', 7)
    acknowledgements.acknowledge('other', 9)
    expect(await silent).toEqual([])
  })

  test('may be acknowledged before its number is known here', async () => {
    const acknowledgements = new Acknowledgements()
    const removal = acknowledgements.expect()
    acknowledgements.acknowledge('one', 7)
    expect(await removal.waitFor(7, new Map([['one', longMs]]))).toEqual([])
  })

  test('is over for a member that does not answer when its lease is', async () => {
    const acknowledgements = new Acknowledgements()
    acknowledgements.acknowledge('one', 7)
    expect(await acknowledgements.expect().waitFor(7, new Map([['one', 5]]))).toEqual(['one'])
  })

  test('that no member has to acknowledge is over at once', async () => {
    expect(await new Acknowledgements().expect().waitFor(7, new Map())).toEqual([])
  })
})
