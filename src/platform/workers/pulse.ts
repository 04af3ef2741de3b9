import type { Worker } from 'node:cluster'
import { say } from './say.js'

const beat = 'beat'
const beatMs = 1_000

/** The worker's part: tells its primary, at once and again and again, that its event loop turns. */
export function beatFor(worker: Worker): void {
  say(worker, beat)
  setInterval(() => say(worker, beat), beatMs).unref()
}

/**
 * The primary's part: tells of a worker that has begun to beat and missed so many beats in a row. They are counted by a timer of this
 * process: what stopped all of them together, as a pause of their container does, is nobody's silence.
 */
export function watchPulse(worker: Worker, missedAtMost: number, onSilence: () => void): void {
  let timer: NodeJS.Timeout | undefined
  let missed = 0
  worker.on('message', (message: unknown) => {
    if (message !== beat) return
    missed = 0
    timer ??= setInterval(() => {
      missed += 1
      if (missed <= missedAtMost) return
      clearInterval(timer)
      onSilence()
    }, beatMs)
  })
  worker.once('exit', () => clearInterval(timer))
}
