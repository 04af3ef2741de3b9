import { fork } from 'node:child_process'
import type { Worker } from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import process from 'node:process'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { isRunning } from '../../src/platform/database/embedded/process-identity.js'
import { watchHeartbeat } from '../../src/platform/workers/heartbeat.js'
import { until } from '../helpers/until.js'

test('a hanging worker is killed and replaced, the other one is not', async () => {
  const primary = fork('test/workers/processes/hanging.ts', { execArgv: ['--import', 'tsx'], stdio: 'pipe' })
  let output = ''
  for (const stream of [primary.stdout, primary.stderr]) stream?.on('data', (chunk) => (output += chunk))
  const workers = () => [...output.matchAll(/worker (\d+)/g)].map(([, pid]) => Number(pid))
  onTestFinished(async () => {
    for (const pid of [primary.pid as number, ...workers()]) if (await isRunning(pid)) process.kill(pid, 'SIGKILL')
  })
  await until(() => workers().length === 2)
  const [hanging, other] = workers() as [number, number]
  process.kill(hanging, 'SIGUSR2')
  await until(() => workers().length === 3)
  expect(output).toContain(`(process ${hanging}) has sent no heartbeat for 2 s. It is killed and replaced`)
  expect(output).toContain('A worker was ended by SIGKILL. Its replacement starts in')
  expect(output.match(/is killed/g)).toHaveLength(1)
  expect(await isRunning(other)).toBe(true)
  primary.kill('SIGTERM')
  expect(await once(primary, 'exit')).toEqual([0, null])
})

describe('the heartbeat timeout of a worker', () => {
  afterEach(() => vi.useRealTimers())

  function watch() {
    vi.useFakeTimers()
    const worker = new EventEmitter()
    const onTimeout = vi.fn()
    watchHeartbeat(worker as Worker, 2, onTimeout)
    return { worker, onTimeout }
  }

  test('does not apply before the first heartbeat, however long the start takes', () => {
    const { onTimeout } = watch()
    vi.advanceTimersByTime(60_000)
    expect(onTimeout).not.toHaveBeenCalled()
  })

  test('is reported once, after several missed heartbeats in a row', () => {
    const { worker, onTimeout } = watch()
    for (let seconds = 0; seconds < 10; seconds += 1) {
      worker.emit('message', 'heartbeat')
      vi.advanceTimersByTime(1_900)
    }
    expect(onTimeout).not.toHaveBeenCalled()
    vi.advanceTimersByTime(60_000)
    expect(onTimeout).toHaveBeenCalledTimes(1)
  })

  test('does not apply after the worker has exited', () => {
    const { worker, onTimeout } = watch()
    worker.emit('message', 'heartbeat')
    worker.emit('exit')
    vi.advanceTimersByTime(60_000)
    expect(onTimeout).not.toHaveBeenCalled()
  })
})
