import type { ListFilter } from 'cached-resolvers'
import { badUserInput } from '../../graphql/errors.js'
import { maxCents } from '../input.js'
import type { ProductFilterInput } from './product-type.js'

/**
 * Converts the argument `filter` to a filter of the list `productLists`. Returns undefined if it selects all products. Throws
 * BAD_USER_INPUT if a price is out of range.
 */
export function toListFilter(filter: ProductFilterInput | null | undefined): ListFilter | undefined {
  const { inStock, minPrice, maxPrice } = filter ?? {}
  const min = minPrice == null ? null : Math.ceil(toExactCents('filter.minPrice', minPrice))
  const max = maxPrice == null ? null : Math.floor(toExactCents('filter.maxPrice', maxPrice))
  if (minPrice != null && maxPrice != null && minPrice > maxPrice)
    throw badUserInput('filter.minPrice must not be greater than filter.maxPrice')
  // No product costs less than nothing, so this bound selects all.
  const price = { min: min === 0 ? null : min, max }
  const hasRange = price.min !== null || price.max !== null
  if (inStock == null && !hasRange) return undefined
  return { ...(inStock != null && { inStock }), ...(hasRange && { price }) }
}

/** Returns the price in cents. The result is a whole number if the price has at most two decimals. */
function toExactCents(name: string, price: number): number {
  if (!(price >= 0 && price <= maxCents / 100)) throw badUserInput(`${name} must be between 0 and ${maxCents / 100}`)
  const cents = Math.round(price * 100)
  // price * 100 may differ from whole cents by a rounding error, as for 1.1.
  return cents / 100 === price ? cents : price * 100
}
