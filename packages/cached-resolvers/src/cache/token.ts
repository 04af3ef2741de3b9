import { randomBytes } from 'node:crypto'

/** Creates tokens that are unique over all processes: 96 random bits for the process, then a counter. */
export function createTokenSource(): () => string {
  const process = randomBytes(12).toString('base64url')
  let count = 0
  return () => `${process}-${(count++).toString(36)}`
}
