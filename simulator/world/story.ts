import type { Violation } from './judge.js'
import { listKey, registerOf } from './registers.js'
import type { RunResult } from './run.js'

/** What happened to the key of a violation until it was seen, a line each, with the faults and what the processes logged. */
export function story({ trace }: RunResult, { key, at, kind }: Violation): string[] {
  const concerns =
    key === null ? /^/ : registerOf(key) === listKey ? /list/ : new RegExp(`${registerOf(key)}\\b|:products( |"|$)`)
  const lines = trace.filter(
    ({ who, text }) =>
      who === 'fault' || who === 'network' || text.startsWith('logs') || (concerns.test(text) && !isRoutine.test(text)),
  )
  const end = lines.findIndex((line) => line.who === 'judge' && line.at === at && line.text.startsWith(kind))
  return lines
    .slice(0, end < 0 ? undefined : end + 1)
    .map(({ at: time, who, text }) => `${time.toFixed(1).padStart(9)} ms  ${who.padEnd(8)}  ${text}`)
}

/** What goes on all the time */
const isRoutine = /^holds \S+:(members|counters)/
