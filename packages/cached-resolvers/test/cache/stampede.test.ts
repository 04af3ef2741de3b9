import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { noRedis, startRedis } from '../../../../test/helpers/redis.js'

describe.skipIf(noRedis)('a stampede', () => {
  test('of 4 processes with 250 readers each on one cold key causes one fetch', async () => {
    const redis = await startRedis()
    const start = () =>
      fork('packages/cached-resolvers/test/processes/stampede-reader.ts', [redis.url, '250'], { execArgv: ['--import', 'tsx'] })
    const processes: ChildProcess[] = Array.from({ length: 4 }, start)
    await Promise.all(processes.map((child) => once(child, 'message')))

    const answers = processes.map((child) => once(child, 'message'))
    for (const child of processes) child.send('go')
    const values = (await Promise.all(answers)).flatMap(([message]) => message as number[])
    expect(values).toHaveLength(1_000)
    expect(new Set(values)).toEqual(new Set([1]))
    expect(await redis.client.get('fetches')).toBe('1')
    await redis.stop()
  })
})
