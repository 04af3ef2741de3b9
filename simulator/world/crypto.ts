import { simulatedRandom } from './globals.js'

/** Replaces node:crypto: random values come from the seed. */
export { createHash } from 'node:crypto'

export function randomUUID(): string {
  const digits = Array.from({ length: 32 }, () => Math.floor(16 * simulatedRandom()).toString(16)).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

export function randomBytes(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => Math.floor(256 * simulatedRandom())))
}
