import { Ctx, Field, Float, Int, ObjectType, Query, Resolver } from 'type-graphql'
import { Access, administrators, everyone } from '../../graphql/access.js'
import type { CacheCounts, Context } from '../../graphql/context.js'
import { Cost } from '../../graphql/field-cost.js'
import { DateTime } from '../../graphql/scalars.js'
import { CacheNamespace } from './cache-admin-resolver.js'
import { type Totals, type totals, totalsId } from './totals.js'

@ObjectType('CacheStats', {
  simpleResolvers: true,
  description: 'Counters of one namespace, summed over all processes since they were last reset',
})
class CacheStatsType implements CacheCounts {
  @Field(() => CacheNamespace, { description: 'The counted namespace' })
  namespace!: string

  @Field(() => Float, { description: 'Lookups answered from the cache, including negative and stale hits' })
  hits!: number

  @Field(() => Float, { description: "Of the hits, those answered with 'there is no such row'" })
  negativeHits!: number

  @Field(() => Float, { description: 'Of the hits, those answered with a value past its soft TTL' })
  staleHits!: number

  @Field(() => Float, { description: 'Lookups that the cache could not answer' })
  misses!: number

  @Field(() => Float, { description: 'Of the hits, those answered from the memory of the process that served the request' })
  nearHits!: number

  @Field(() => Float, { description: 'Of the misses, those answered by a fetch that was already running in the same process' })
  coalesced!: number

  @Field(() => Float, { description: 'Of the misses, those that waited for the fetch of another process' })
  leaseWaits!: number

  @Field(() => Float, { description: 'Fetches that were refused because too many were running and waiting' })
  shed!: number

  @Field(() => Float, { description: 'Entries written to the cache after a fetch' })
  fills!: number

  @Field(() => Float, { description: 'Keys removed because of a change in the database or a flush' })
  invalidations!: number

  @Field(() => Float, {
    description: 'Failed commands of the cache server, damaged entries and failed refills; the sum of the four fields below',
  })
  errors!: number

  @Field(() => Float, {
    description: 'Of the errors: the cache server did not answer in time, or the cache was not yet trusted again after an outage',
  })
  unavailable!: number

  @Field(() => Float, {
    description: 'Of the errors: the cache server rejected the command, for example because it is full or read-only',
  })
  refused!: number

  @Field(() => Float, { description: 'Of the errors: a damaged entry; its value is fetched again' })
  corrupt!: number

  @Field(() => Float, { description: 'Of the errors: a refill failed; the stale value continues to be served' })
  failedRefills!: number

  @Field(() => Float, {
    description: 'Entries, chosen at random, that were compared with the database, in the background or by npm run audit',
  })
  audited!: number

  @Field(() => Float, {
    description: 'Of the audited entries, those that differed from the database twice in a row; they were invalidated',
  })
  wrong!: number

  @Field(() => Float, {
    description: 'Percentage of audited entries that matched the database (0 to 100, four decimals); 100 before the first audit',
  })
  accuracy!: number

  @Field(() => Float, { description: 'The same as accuracy', deprecationReason: 'Use accuracy.' })
  rightRate!: number // Deprecated

  @Field(() => Float, { description: 'Hit rate of this namespace. Percent, as Stats.cacheHitRate' })
  hitRate!: number

  @Field(() => Int, { description: 'Soft TTL in seconds: how long an entry counts as fresh, plus or minus 10 % jitter' })
  ttlSeconds!: number
}

@ObjectType('Stats', { simpleResolvers: true, description: 'Totals of the shop and counters of the cache' })
class StatsType {
  @Access(administrators)
  @Field(() => Int, { description: 'Number of users. For administrators only' })
  totalUsers!: number

  @Field(() => Int, { description: 'Number of products' })
  totalProducts!: number

  @Access(administrators)
  @Field(() => Int, { description: 'Number of orders. For administrators only' })
  totalOrders!: number

  @Access(administrators)
  @Field(() => Float, { description: 'Sum of all order totals, in major units, exact to two decimals. For administrators only' })
  revenue!: number

  @Field(() => Float, {
    description: 'Percent (0 to 100, two decimals) of the lookups that the cache answered, over all processes',
  })
  cacheHitRate!: number

  @Field(() => DateTime, { description: 'When the totals were computed (they are cached); the cache figures are always current' })
  asOf!: string

  @Access(administrators)
  @Cost({ listSize: Object.keys(CacheNamespace).length })
  @Field(() => [CacheStatsType], { description: 'Counters of each namespace. For administrators only' })
  caches!: CacheStatsType[]
}

@Resolver()
export class StatsResolver {
  /** The fields are functions, so that totals and counters are read only if they are selected, and counters at most once. */
  @Access(everyone)
  @Cost({ weight: 1 })
  @Query(() => StatsType, { description: 'Totals of the shop and counters of the cache' })
  stats(@Ctx() { loaders, cacheAdmin }: Context<{ totals: typeof totals }>) {
    let counts: ReturnType<typeof cacheAdmin.counts> | undefined
    const readCounts = () => {
      counts ??= cacheAdmin.counts()
      return counts
    }
    const loadTotals = async () => (await loaders.totals.load(totalsId)) as Totals
    return {
      totalUsers: async () => (await loadTotals()).users,
      totalProducts: async () => (await loadTotals()).products,
      totalOrders: async () => (await loadTotals()).orders,
      revenue: async () => (await loadTotals()).revenue,
      asOf: async () => (await loadTotals()).asOf,
      cacheHitRate: async () => hitRate([...(await readCounts()).values()]),
      caches: async () =>
        [...(await readCounts())].map(([namespace, counts]) => ({
          namespace,
          ...counts,
          hitRate: hitRate([counts]),
          accuracy: accuracy(counts),
          rightRate: accuracy(counts), // Deprecated
        })),
    }
  }
}

/** Returns the hit rate in percent with two decimals, or 0 before the first lookup. */
function hitRate(counts: readonly CacheCounts[]): number {
  const hits = counts.reduce((sum, { hits }) => sum + hits, 0)
  const lookups = counts.reduce((sum, { hits, misses }) => sum + hits + misses, 0)
  return lookups === 0 ? 0 : Math.round((hits / lookups) * 10_000) / 100
}

/** Returns the accuracy in percent with four decimals, or 100 before the first audit. */
function accuracy({ audited, wrong }: CacheCounts): number {
  return audited === 0 ? 100 : Math.round(((audited - wrong) / audited) * 1_000_000) / 10_000
}
