import type { List } from './entity.js'
import type { ListFilterOptions } from './list-names.js'
import type { ListKey, ListQuery } from './page.js'

/** Returns the keys of the first page in every order and of the count of a list, both without a filter and with each condition. */
export function firstKeysOf<Source>({ variants }: List<Source>, list: string | null, size: number): ListKey[] {
  const { sorts = {}, filters = {} } = variants
  const conditions = Object.keys(filters).filter((name) => 'greaterThan' in (filters[name] as ListFilterOptions))
  const queries: ListQuery[] = [{ list }, ...conditions.map((name) => ({ list, filter: { [name]: true } }))]
  return queries.flatMap((query): ListKey[] => {
    const page = { ...query, after: null, before: null, size, from: 'start' as const }
    return [{ ...query, count: true }, page, ...Object.keys(sorts).map((sort) => ({ ...page, sort }))]
  })
}
