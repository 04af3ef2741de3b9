import type { Violation } from './judge.js'
import { listKey, registerOf } from './registers.js'
import type { RunResult } from './run.js'

/** What happened to the key of a violation until it was reported, with faults and log messages, one line each. */
export function timelineOf({ trace }: RunResult, { key, at, kind }: Violation): string[] {
  const concerns =
    key === null ? /^/ : registerOf(key) === listKey ? /list/ : new RegExp(`${registerOf(key)}\\b|:products( |"|$)`)
  const lines = trace.filter(
    ({ actor, text }) =>
      actor === 'fault' || actor === 'network' || text.startsWith('logs') || (concerns.test(text) && !isRoutine.test(text)),
  )
  const end = lines.findIndex((line) => line.actor === 'judge' && line.at === at && line.text.startsWith(kind))
  return lines
    .slice(0, end < 0 ? undefined : end + 1)
    .map(({ at: time, actor, text }) => `${time.toFixed(1).padStart(9)} ms  ${actor.padEnd(8)}  ${text}`)
}

/** Writes that happen all the time */
const isRoutine = /^sets \S+:(members|counters)/
