import DataLoader from 'dataloader'
import type { ListQuery, Page, PageQuery } from '../model.js'
import type { Fetcher } from './fetchers.js'

/** Pages and lengths of lists, in one batch. */
export interface ListLoader {
  loadPage(query: PageQuery): Promise<Page>
  loadCount(list: string | null): Promise<number>
  clearAll(): void
}

export type ListKey = PageQuery | CountQuery
type CountQuery = ListQuery & { count: true }

export function createListLoader(batch: DataLoader.BatchLoadFn<ListKey, Page | number>): ListLoader {
  const loader = new DataLoader(batch, { cacheKeyFn: (key: ListKey) => JSON.stringify([key.list, partOf(key)]) })
  return {
    loadPage: (query) => loader.load(query) as Promise<Page>,
    loadCount: (list) => loader.load({ list, count: true }) as Promise<number>,
    clearAll: () => void loader.clearAll(),
  }
}

/** One statement for all pages of a batch, and one for all counts. */
export function listFetcher(
  fetchPages: Fetcher<PageQuery, Page>,
  fetchCounts: Fetcher<ListQuery, number>,
): Fetcher<ListKey, Page | number> {
  return async (keys) => {
    const counts = keys.filter(isCount)
    const pages = keys.filter((key): key is PageQuery => !isCount(key))
    const [foundPages, foundCounts] = await Promise.all([
      pages.length > 0 ? fetchPages(pages) : new Map<PageQuery, Page>(),
      counts.length > 0 ? fetchCounts(counts) : new Map<ListQuery, number>(),
    ])
    return new Map<ListKey, Page | number>([...foundPages, ...(foundCounts as Map<CountQuery, number>)])
  }
}

/** What is asked of the list, in a fixed order of words. */
export function partOf(key: ListKey) {
  if (isCount(key)) return { count: true }
  const { after, before, size, from } = key
  return { after, before, size, from }
}

function isCount(key: ListKey): key is CountQuery {
  return 'count' in key
}
