import { z } from 'zod'
import { maxCategoryLength } from './products/product.js'
import { Refusal } from './user-error.js'

/** Postgres cannot store NUL. Other control characters are invisible, so they are in a text only by mistake. */
const controlCharacters = /\p{Cc}/u
/** The highest price */
export const maxCents = 100_000_000

function text(maxLength: number) {
  return z
    .string()
    .max(maxLength, `must have at most ${maxLength} characters`)
    .refine((value) => value.trim() !== '', 'must not be blank')
    .refine((value) => !controlCharacters.test(value), 'must not contain control characters')
    .refine((value) => value.isWellFormed(), 'must be valid Unicode')
}

export const emailSchema = z.email('must be an email address').max(254, 'must have at most 254 characters')
export const nameSchema = text(200)
export const categorySchema = text(maxCategoryLength)
export const idempotencyKeySchema = text(255)
export const stockSchema = z.int('must be a whole number').min(0, 'must not be negative')

export const priceSchema = z
  .number('must be a finite number')
  .min(0, 'must not be negative')
  .max(maxCents / 100, `must be at most ${maxCents / 100}`)
  .refine((price) => toCents(price) / 100 === price, 'must have at most two decimals')

export const productIdsSchema = z
  .array(z.string())
  .min(1, 'must name at least one product')
  .max(100, 'must name at most 100 units')

export function toCents(price: number): number {
  return Math.round(price * 100)
}

/**
 * Throws a Refusal if any value is invalid. The Refusal has the first problem and the path of each invalid value, so that a form
 * can show all problems together.
 */
export function requireValid(checks: readonly (readonly [schema: z.ZodType, value: unknown, path: readonly string[]])[]): void {
  const userErrors = checks.flatMap(([schema, value, path]) => {
    const issues = schema.safeParse(value).error?.issues ?? []
    return issues.slice(0, 1).map((issue) => {
      const field = [...path, ...issue.path.map(String)]
      return { code: 'INVALID' as const, message: `${field.at(-1)} ${issue.message}`, field }
    })
  })
  if (userErrors.length > 0) throw new Refusal(userErrors)
}
