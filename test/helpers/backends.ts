import { startTestApp, type TestApp } from './app.js'
import { noRedis, startRedis } from './redis.js'

export interface Backend {
  skip: boolean
  /** Starts a separate app; `stop` stops its Redis too. */
  start: () => Promise<TestApp>
}

/** For describe.each: the cache backends. Responses must not depend on them. */
export const backends: [string, Backend][] = [
  ['in the process', { skip: false, start: () => startTestApp() }],
  ['Redis', { skip: noRedis, start: startWithRedis }],
]

async function startWithRedis(): Promise<TestApp> {
  const redis = await startRedis()
  const app = await startTestApp({ redisUrl: redis.url })
  return {
    ...app,
    async stop() {
      await app.stop()
      await redis.stop()
    },
  }
}
