import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FakeRedis, heartbeatReply, message, startFakeRedis } from '../../../../test/helpers/fake-redis.js'
import { until } from '../../../../test/helpers/until.js'
import { RedisWatch } from '../../src/redis/redis-watch.js'

const removal = (number: number | '?') => message('c', `${number}\n>\nkey ${number}`)

describe('the messages about removals', () => {
  let server: FakeRedis
  let watch: RedisWatch
  let calls: string[]
  let nowMs: number
  /** Afterwards the last number is 7, and the watch has requested it again. */
  beforeEach(async () => {
    calls = []
    nowMs = 0
    server = await startFakeRedis()
    watch = new RedisWatch(
      new Redis(server.port, { lazyConnect: true }),
      { channel: 'c', commandTimeoutMs: 60_000, onReplica: () => {}, log: () => {} },
      {
        registrationKey: 'm',
        registration: undefined,
        nearLeaseMs: null,
        onRemoved: (keys) => calls.push(...keys),
        onMissedRemovals: () => calls.push('missed'),
        onStoreLost: () => calls.push('lost'),
        onUpToDate: (asOf) => calls.push(`complete at ${asOf}`),
        now: () => nowMs,
      },
    )
    await server.heartbeatReceived()
    nowMs = 1
    await hear(heartbeatReply(7))
    expect(calls.at(-1)).toBe('complete at 0')
  })
  afterEach(async () => {
    watch.stop()
    await server.stop()
  })

  /**
   * Sends one chunk that contains a reply, and returns what the watcher was called with. Afterwards the last number has been
   * requested again.
   */
  async function hear(...parts: string[]): Promise<string[]> {
    calls = []
    server.send(...parts)
    await server.heartbeatReceived()
    return calls
  }

  test.each([
    ['behind', [heartbeatReply(7), removal(8), removal(9)]],
    ['before', [removal(8), removal(9), heartbeatReply(9)]],
    ['around', [removal(8), heartbeatReply(8), removal(9)]],
  ])('removals %s an answer in the same chunk are complete', async (_, chunk) => {
    expect(await hear(...chunk)).toEqual(['key 8', 'key 9', 'complete at 1'])
    expect(await hear(heartbeatReply(9))).toEqual(['complete at 1'])
  })

  test('a reply to another command closes the connection, and the watch reconnects', async () => {
    expect(await hear(':1\r\n')).toEqual(['missed', 'missed'])
    expect(await hear(heartbeatReply(7))).toEqual(['missed', 'complete at 1'])
  })

  test.each<[string, string[], string[], number]>([
    ['a removal that did not arrive', [heartbeatReply(8)], ['missed', 'complete at 1'], 8],
    ['a gap before the reply', [removal(9), heartbeatReply(9)], ['missed', 'key 9'], 9],
    ['a gap around the reply', [heartbeatReply(8), removal(9)], ['missed', 'key 9'], 9],
    ['a gap after the reply', [heartbeatReply(7), removal(9)], ['missed', 'key 9'], 9],
    ['a gap after a removal and the reply', [heartbeatReply(7), removal(8), removal(10)], ['key 8', 'missed', 'key 10'], 10],
    ['a server that restarts its numbers', [heartbeatReply(0)], ['missed', 'complete at 1'], 0],
    ['a server that restarts its numbers before the reply', [removal(1), heartbeatReply(1)], ['missed', 'key 1'], 1],
    ['a server that restarts its numbers around the reply', [heartbeatReply(0), removal(1)], ['missed', 'key 1'], 1],
    ['a server that restarts its numbers after the reply', [heartbeatReply(7), removal(1)], ['missed', 'key 1'], 1],
    [
      'a server that restarts its numbers after a removal',
      [removal(8), heartbeatReply(0)],
      ['key 8', 'missed', 'complete at 1'],
      0,
    ],
    ['a server that cannot count', [heartbeatReply(7), removal('?')], ['missed', 'key ?'], 7],
    ['a server that could not count', [removal('?'), heartbeatReply(7), removal(8)], ['missed', 'key ?', 'missed', 'key 8'], 8],
  ])('%s is detected, and the watch continues from there', async (_, chunk, expected, lastNumber) => {
    expect(await hear(...chunk)).toEqual(expected)
    await hear(heartbeatReply(lastNumber))
    expect(calls.at(-1)).toBe('complete at 1')
    expect(await hear(heartbeatReply(lastNumber), removal(lastNumber + 1))).toEqual([`key ${lastNumber + 1}`, 'complete at 1'])
  })

  test('a removal published by a process of the previous version is understood', async () => {
    expect(await hear(heartbeatReply(7), message('c', '8\nkey 8\nkey 9'))).toEqual(['key 8', 'key 9', 'complete at 1'])
  })

  test('a removal missed before the first reply on a connection is detected', async () => {
    watch.disconnect()
    await server.heartbeatReceived()
    expect(await hear(heartbeatReply(7), removal(9))).toEqual(['missed', 'key 9'])
  })

  test('a reply on a connection that was replaced is ignored', async () => {
    calls = []
    watch.disconnect()
    server.send(heartbeatReply(7))
    await until(() => calls.length > 0)
    await server.heartbeatReceived()
    expect(calls).toEqual(['missed', 'missed'])
  })
})
