import { isDeepStrictEqual } from 'node:util'

export interface Difference {
  /** Where the value came from: the name of a process, or Redis */
  where: string
  key: string
  cached: unknown
  expected: unknown
}

export function differenceOf(where: string, key: string, cached: unknown, expected: unknown): Difference[] {
  return isDeepStrictEqual(plain(cached), plain(expected)) ? [] : [{ where, key, cached, expected }]
}

export function describeDifference({ where, key, cached, expected }: Difference): string {
  return `DIFFERS ${where} ${key}\n    cached   ${JSON.stringify(cached)}\n    expected ${JSON.stringify(expected)}`
}

/** The value as JSON keeps it: without prototypes. */
function plain(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}
