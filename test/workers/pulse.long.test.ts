import { fork } from 'node:child_process'
import type { Worker } from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import process from 'node:process'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { isRunning } from '../../src/platform/database/embedded/live-process.js'
import { watchPulse } from '../../src/platform/workers/pulse.js'
import { until } from '../helpers/until.js'

test('a worker that hangs is killed and replaced, the other is left alone', async () => {
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
  expect(output).toContain(`(process ${hanging}) has not said anything for 2 s: it hangs, and is killed`)
  expect(output).toContain('A worker was ended by SIGKILL, another one starts in')
  expect(output.match(/is killed/g)).toHaveLength(1)
  expect(await isRunning(other)).toBe(true)
  primary.kill('SIGTERM')
  expect(await once(primary, 'exit')).toEqual([0, null])
})

describe('the pulse of a worker', () => {
  afterEach(() => vi.useRealTimers())

  function watch() {
    vi.useFakeTimers()
    const worker = new EventEmitter()
    const onSilence = vi.fn()
    watchPulse(worker as Worker, 2, onSilence)
    return { worker, onSilence }
  }

  test('is not missed before its first beat: starting takes what it takes', () => {
    const { onSilence } = watch()
    vi.advanceTimersByTime(60_000)
    expect(onSilence).not.toHaveBeenCalled()
  })

  test('is missed after so many beats in a row, once', () => {
    const { worker, onSilence } = watch()
    for (let seconds = 0; seconds < 10; seconds += 1) {
      worker.emit('message', 'beat')
      vi.advanceTimersByTime(1_900)
    }
    expect(onSilence).not.toHaveBeenCalled()
    vi.advanceTimersByTime(60_000)
    expect(onSilence).toHaveBeenCalledTimes(1)
  })

  test('is not missed of one that has ended', () => {
    const { worker, onSilence } = watch()
    worker.emit('message', 'beat')
    worker.emit('exit')
    vi.advanceTimersByTime(60_000)
    expect(onSilence).not.toHaveBeenCalled()
  })
})
