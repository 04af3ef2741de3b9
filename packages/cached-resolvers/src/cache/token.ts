import { randomBytes } from 'node:crypto'

/** Gives tokens that no other process gives: 96 random bits once, then a count. */
export function createTokenSource(): () => string {
  const process = randomBytes(12).toString('base64url')
  let count = 0
  return () => `${process}-${(count++).toString(36)}`
}
