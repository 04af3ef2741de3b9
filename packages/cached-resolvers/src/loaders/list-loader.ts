import type { Fetcher } from './fetcher.js'
import { filterText } from './list-names.js'
import { Loader, type LoaderOptions, type PromiseOrValue } from './loader.js'
import type { CountQuery, ListFilter, ListKey, ListQuery, Page, PageQuery } from './page.js'

/** Loads pages and counts of lists. Loads in the same event loop iteration are one batch. */
export class ListLoader {
  private readonly loader: Loader<ListKey, Page | number>

  constructor(options: Omit<LoaderOptions<ListKey, Page | number>, 'cacheKeyOf'>) {
    this.loader = new Loader({ ...options, cacheKeyOf })
  }

  loadPage(query: PageQuery): PromiseOrValue<Page> {
    return this.loader.load(query) as PromiseOrValue<Page>
  }

  loadCount(list: string | null, filter?: ListFilter): PromiseOrValue<number> {
    return this.loader.load({ list, count: true, ...(filter && { filter }) }) as PromiseOrValue<number>
  }

  clearAll(): void {
    this.loader.clearAll()
  }
}

/** Returns a fetcher that calls `fetchPages` once for all pages of a batch, and `fetchCounts` once for all counts. */
export function listFetcher(
  fetchPages: Fetcher<PageQuery, Page>,
  fetchCounts: Fetcher<ListQuery, number>,
): Fetcher<ListKey, Page | number> {
  return async (keys, signal) => {
    const counts = keys.filter(isCount)
    const pages = keys.filter((key): key is PageQuery => !isCount(key))
    const [foundPages, foundCounts] = await Promise.all([
      pages.length > 0 ? fetchPages(pages, signal) : new Map<PageQuery, Page>(),
      counts.length > 0 ? fetchCounts(counts, signal) : new Map<ListQuery, number>(),
    ])
    return new Map<ListKey, Page | number>([...foundPages, ...(foundCounts as Map<CountQuery, number>)])
  }
}

/**
 * Returns the parameters of a page or count, with the properties in a fixed order so that the JSON of equal parameters is equal.
 */
export function parametersOf(key: ListKey) {
  const filter = key.filter === undefined ? undefined : { filter: filterText(key.filter) }
  if (isCount(key)) return { count: true, ...filter }
  const { after, before, size, from, sort, afterValue, beforeValue } = key
  const sorted = sort === undefined ? undefined : { sort, afterValue: afterValue ?? null, beforeValue: beforeValue ?? null }
  return { after, before, size, from, ...sorted, ...filter }
}

function cacheKeyOf(key: ListKey): string {
  return JSON.stringify([key.list, parametersOf(key)])
}

function isCount(key: ListKey): key is CountQuery {
  return 'count' in key
}
