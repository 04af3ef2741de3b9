import type { ListFilter, PageQuery, Range } from './page.js'

/** How the rows of a list can be sorted: by a column that is not null, and rows with equal values by id in the same direction */
export interface ListSort {
  /** A column of an integer type or, if `collation` is set, of a text type; or `id` */
  column: string
  direction: 'asc' | 'desc'
  /** The name of the collation of a text column, so that the order does not depend on the collation of the database */
  collation?: string
}

/** How the rows of a list can be filtered */
export type ListFilterOptions = ConditionOptions | RangeOptions

/** Selects the rows whose value in `column` is greater than a number, or the others. Rows with null are among the others. */
export interface ConditionOptions {
  column: string
  greaterThan: number
}

/**
 * Selects the rows whose value in a column is in a range. `bounds`, in ascending order, divide the values into bands. A change of a
 * row invalidates only pages with a range in the band of the old or the new value. Ranges are cached only if their bounds are among
 * `bounds`: otherwise clients could fill the cache with pages for any number of ranges. At most 15 bounds
 */
export interface RangeOptions {
  column: string
  bounds: readonly number[]
}

export interface ListVariants {
  sorts?: Readonly<Record<string, ListSort>>
  filters?: Readonly<Record<string, ListFilterOptions>>
}

export const maxBounds = 15

/**
 * Returns the names in the outbox whose invalidation invalidates a page or count of a list. `list` is the name of the list.
 * cache_list_names() in tables.sql returns the names that a changed row invalidates. The number of names has an upper limit that
 * follows from the declaration:
 * - `<list>`: rows were inserted into the list, deleted from it, or moved to another list
 * - `<list> by <column>`: the value of this sort column changed in a row of the list
 * - `<list> where <filter>`: a row of the list fulfills this condition now, or no longer
 * - `<list> <filter> <band>`: a row with a value in this band was inserted, deleted or moved, or a value in this band was changed to
 *   or from another value. Bands include both of their bounds, so a value equal to a bound is in two bands
 *
 * A page with ranges depends on bands instead of `<list>`, since a row outside of its range cannot change it.
 */
export function dependenciesOf(
  { sorts = {}, filters = {} }: ListVariants,
  list: string,
  { sort, filter = {} }: Pick<PageQuery, 'sort' | 'filter'>,
): string[] {
  const names: string[] = []
  const column = sort === undefined ? 'id' : sorts[sort]?.column
  const rangedColumns = new Set<string>()
  for (const name of Object.keys(filter).sort()) {
    const [options, value] = [filters[name], filter[name]]
    if (options && 'bounds' in options && typeof value === 'object') {
      for (const band of bandsOf(options.bounds, value)) names.push(`${list} ${name} ${band}`)
      rangedColumns.add(options.column)
    } else names.push(`${list} where ${name}`)
  }
  if (rangedColumns.size === 0) names.unshift(list)
  if (column !== undefined && column !== 'id' && !rangedColumns.has(column)) names.push(`${list} by ${column}`)
  return names
}

/** Whether a page or count with this filter may be cached: whether the bounds of all ranges are declared. */
export function isCacheable({ filters = {} }: ListVariants, filter: ListFilter | undefined): boolean {
  return Object.entries(filter ?? {}).every(([name, value]) => {
    const options = filters[name]
    if (typeof value !== 'object' || !options || !('bounds' in options)) return true
    return [value.min, value.max].every((bound) => bound === null || options.bounds.includes(bound))
  })
}

/** Returns a text that is equal for equal filters, whatever the order of their properties. */
export function filterText(filter: ListFilter): string {
  return describeFilter(filter, ({ min, max }) => `${min}..${max}`)
}

/** Like filterText(), but with the same text for all ranges. */
export function filterShape(filter: ListFilter = {}): string {
  return describeFilter(filter, () => 'range')
}

function describeFilter(filter: ListFilter, describeRange: (range: Range) => string): string {
  const parts = Object.entries(filter).map(
    ([name, value]) => `${name}=${typeof value === 'object' ? describeRange(value) : value}`,
  )
  return parts.sort().join(',')
}

/** Returns the numbers of bands that include all values in a range. Band 0 is below the first bound. */
function bandsOf(bounds: readonly number[], { min, max }: Range): number[] {
  const first = min === null ? 0 : bounds.filter((bound) => bound <= min).length
  const last = max === null ? bounds.length : bounds.filter((bound) => bound < max).length
  // If min and max are the same bound, each of the two bands at this bound includes it.
  return Array.from({ length: Math.max(1, last - first + 1) }, (_, index) => first + index)
}
