import { randomBytes } from 'node:crypto'

/** Returns a function that creates tokens, unique across all processes: 96 random bits of the process, followed by a counter. */
export function createTokenSource(): () => string {
  const process = randomBytes(12).toString('base64url')
  let count = 0
  return () => `${process}-${(count++).toString(36)}`
}
