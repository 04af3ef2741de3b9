import { once } from 'node:events'
import process from 'node:process'
import { Redis } from 'ioredis'

// Started by reader.ts: node reader-process.ts <Redis URL>. Receives its keys, then requests for latencies. Ends with its parent.

const readsAtOnce = 4
const keysPerRead = 5

process.on('disconnect', () => process.exit())
const redis = new Redis(process.argv[2] as string)
const reads: { endedAt: number; tookMs: number }[] = []
const [keys] = (await once(process, 'message')) as [string[]]
for (let reader = 0; reader < readsAtOnce; reader += 1) void read(reader)

process.on('message', ({ from, to }: { from: number; to: number }) => {
  process.send?.(reads.filter(({ endedAt }) => endedAt >= from && endedAt <= to).map(({ tookMs }) => tookMs))
  reads.length = 0
})

async function read(reader: number): Promise<never> {
  for (let next = reader; ; next = (next + keysPerRead) % (keys.length - keysPerRead)) {
    const startedAt = performance.now()
    await redis.mget(keys.slice(next, next + keysPerRead))
    reads.push({ endedAt: Date.now(), tookMs: performance.now() - startedAt })
  }
}
