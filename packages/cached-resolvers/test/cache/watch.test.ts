import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answer, type FakeRedis, message, startFakeRedis } from '../../../../test/helpers/fake-redis.js'
import { until } from '../../../../test/helpers/until.js'
import { RedisWatch } from '../../src/redis/redis-watch.js'

const removal = (number: number | '?') => message('c', `${number}\n>\nkey ${number}`)

describe('the news of removals', () => {
  let server: FakeRedis
  let watch: RedisWatch
  let heard: string[]
  let nowMs: number
  /** The last number is 7, and has been asked for again. */
  beforeEach(async () => {
    heard = []
    nowMs = 0
    server = await startFakeRedis()
    watch = new RedisWatch(
      new Redis(server.port, { lazyConnect: true }),
      { channel: 'c', commandTimeoutMs: 60_000, onReplica: () => {}, log: () => {} },
      {
        markerKey: 'm',
        registration: undefined,
        leaseMs: null,
        removed: (keys) => heard.push(...keys),
        missed: () => heard.push('missed'),
        lost: () => heard.push('lost'),
        upToDate: (asOf) => heard.push(`complete at ${asOf}`),
        now: () => nowMs,
      },
    )
    await server.asked()
    nowMs = 1
    await hear(answer(7))
    expect(heard.at(-1)).toBe('complete at 0')
  })
  afterEach(async () => {
    watch.stop()
    await server.stop()
  })

  /** What comes of one chunk with an answer in it. Afterwards the last number has been asked for again. */
  async function hear(...parts: string[]): Promise<string[]> {
    heard = []
    server.say(...parts)
    await server.asked()
    return heard
  }

  test.each([
    ['behind', [answer(7), removal(8), removal(9)]],
    ['before', [removal(8), removal(9), answer(9)]],
    ['around', [removal(8), answer(8), removal(9)]],
  ])('removals %s an answer in the same chunk are complete', async (_, chunk) => {
    expect(await hear(...chunk)).toEqual(['key 8', 'key 9', 'complete at 1'])
    expect(await hear(answer(9))).toEqual(['complete at 1'])
  })

  test('an answer that is that of another command ends the connection, and listening begins anew', async () => {
    expect(await hear(':1\r\n')).toEqual(['missed', 'missed'])
    expect(await hear(answer(7))).toEqual(['missed', 'complete at 1'])
  })

  test.each<[string, string[], string[], number]>([
    ['a removal that did not come', [answer(8)], ['missed', 'complete at 1'], 8],
    ['a gap before the answer', [removal(9), answer(9)], ['missed', 'key 9'], 9],
    ['a gap around the answer', [answer(8), removal(9)], ['missed', 'key 9'], 9],
    ['a gap behind the answer', [answer(7), removal(9)], ['missed', 'key 9'], 9],
    ['a gap behind a removal and the answer', [answer(7), removal(8), removal(10)], ['key 8', 'missed', 'key 10'], 10],
    ['a server that begins again', [answer(0)], ['missed', 'complete at 1'], 0],
    ['a server that begins again before the answer', [removal(1), answer(1)], ['missed', 'key 1'], 1],
    ['a server that begins again around the answer', [answer(0), removal(1)], ['missed', 'key 1'], 1],
    ['a server that begins again behind the answer', [answer(7), removal(1)], ['missed', 'key 1'], 1],
    ['a server that begins again after a removal', [removal(8), answer(0)], ['key 8', 'missed', 'complete at 1'], 0],
    ['a server that cannot count', [answer(7), removal('?')], ['missed', 'key ?'], 7],
    ['a server that could not count', [removal('?'), answer(7), removal(8)], ['missed', 'key ?', 'missed', 'key 8'], 8],
  ])('%s is noticed, and it goes on from there', async (_, chunk, expected, lastNumber) => {
    expect(await hear(...chunk)).toEqual(expected)
    await hear(answer(lastNumber))
    expect(heard.at(-1)).toBe('complete at 1')
    expect(await hear(answer(lastNumber), removal(lastNumber + 1))).toEqual([`key ${lastNumber + 1}`, 'complete at 1'])
  })

  test('a removal that a process of the version before announced is understood', async () => {
    expect(await hear(answer(7), message('c', '8\nkey 8\nkey 9'))).toEqual(['key 8', 'key 9', 'complete at 1'])
  })

  test('a removal missed before the first answer of a connection is noticed', async () => {
    watch.reopen()
    await server.asked()
    expect(await hear(answer(7), removal(9))).toEqual(['missed', 'key 9'])
  })

  test('an answer on a connection that was given up does not count', async () => {
    heard = []
    watch.reopen()
    server.say(answer(7))
    await until(() => heard.length > 0)
    await server.asked()
    expect(heard).toEqual(['missed', 'missed'])
  })
})
