import type { HotKey, SampledReads } from 'cached-resolvers'
import { type Counts, mergeCounts } from './counts.js'

/** Returns counts for the history: the reads of all keys and, by the JSON of the key, those of the hot keys. */
export function countsOfReads({ reads, hotKeys }: SampledReads): Counts {
  const counts = hotKeys.map(({ namespace, idOrList, parameters, reads }) => {
    return [JSON.stringify([namespace, idOrList, parameters]), reads] as const
  })
  return reads === 0 ? new Map() : new Map([[allReads, reads], ...counts])
}

/** Returns the reads of all keys in these slots, and the `maxKeys` keys that were read most often, most reads first. */
export function summarizeReads(slots: readonly Counts[], maxKeys: number): SampledReads {
  const counts = new Map(mergeCounts(slots))
  const reads = counts.get(allReads) ?? 0
  counts.delete(allReads)
  const mostRead = [...counts].sort(([, a], [, b]) => b - a).slice(0, maxKeys)
  return { reads, hotKeys: mostRead.map(([key, reads]) => ({ ...parse(key), reads })) }
}

function parse(key: string): Omit<HotKey, 'reads'> {
  const [namespace, idOrList, parameters] = JSON.parse(key)
  return { namespace, idOrList, ...(parameters && { parameters }) }
}

/** Not the JSON of a key */
const allReads = 'reads'
