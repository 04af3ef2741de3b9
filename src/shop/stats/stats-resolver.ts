import { Ctx, Field, Float, Int, ObjectType, Query, Resolver } from 'type-graphql'
import { Access, administrators, everyone } from '../../graphql/access.js'
import type { CacheCounts, Context } from '../../graphql/context.js'
import { Priced } from '../../graphql/price.js'
import { DateTime } from '../../graphql/scalars.js'
import { CacheNamespace } from './cache-admin-resolver.js'
import { type Totals, type totals, totalsId } from './totals.js'

@ObjectType('CacheStats', {
  simpleResolvers: true,
  description: 'Counters of one namespace, summed over all processes since they were last reset',
})
class CacheStatsType implements CacheCounts {
  @Field(() => CacheNamespace)
  namespace!: string

  @Field(() => Float)
  hits!: number

  @Field(() => Float, { description: "Of the hits, those answered with 'there is no such row'" })
  negativeHits!: number

  @Field(() => Float, { description: 'Of the hits, those answered with a value past its soft TTL' })
  staleHits!: number

  @Field(() => Float)
  misses!: number

  @Field(() => Float, { description: 'Of the hits, those answered from the memory of the process that was asked' })
  nearHits!: number

  @Field(() => Float, { description: 'Of the misses, those answered by a fetch that was under way in the same process' })
  coalesced!: number

  @Field(() => Float, { description: 'Of the misses, those that waited for the fetch of another process' })
  leaseWaits!: number

  @Field(() => Float, { description: 'Fetches that were refused, because too many were under way and waiting' })
  shed!: number

  @Field(() => Float)
  fills!: number

  @Field(() => Float)
  invalidations!: number

  @Field(() => Float, { description: 'Commands that the cache server did not answer, and entries that could not be read' })
  errors!: number

  @Field(() => Float, {
    description: 'Of the errors: the server could not be reached in time, or was not yet caught up with after that',
  })
  unavailable!: number

  @Field(() => Float, { description: 'Of the errors: the server answered with one, being full or read-only, say' })
  refused!: number

  @Field(() => Float, { description: 'Of the errors: an entry was damaged; it is fetched again' })
  corrupt!: number

  @Field(() => Float, { description: 'Of the errors: a refill failed, the stale value goes on being served' })
  failedRefills!: number

  @Field(() => Float, {
    description: 'Entries that were compared with the database, at random, in the background or by npm run audit',
  })
  audited!: number

  @Field(() => Float, {
    description: 'Of those, the ones that differed, and still did when they were looked at again; they were invalidated',
  })
  wrong!: number

  @Field(() => Float, { description: 'Percent (four decimals) of the audited entries that were right; 100 before the first' })
  rightRate!: number

  @Field(() => Float, { description: 'Percent, as Stats.cacheHitRate' })
  hitRate!: number

  @Field(() => Int, { description: 'How long an entry counts as fresh, plus or minus a tenth' })
  ttlSeconds!: number
}

@ObjectType('Stats', { simpleResolvers: true })
class StatsType {
  @Access(administrators)
  @Field(() => Int)
  totalUsers!: number

  @Field(() => Int)
  totalProducts!: number

  @Access(administrators)
  @Field(() => Int)
  totalOrders!: number

  @Access(administrators)
  @Field(() => Float, { description: 'Sum of all order totals' })
  revenue!: number

  @Field(() => Float, {
    description: 'Percent (0 to 100, two decimals) of the lookups that the cache answered, over all processes',
  })
  cacheHitRate!: number

  @Field(() => DateTime, { description: 'When the totals were computed (they are cached); the cache figures are always current' })
  asOf!: string

  @Access(administrators)
  @Priced({ listSize: Object.keys(CacheNamespace).length })
  @Field(() => [CacheStatsType])
  caches!: CacheStatsType[]
}

@Resolver()
export class StatsResolver {
  /** The fields are methods: the totals are loaded, and the counters read, only where they are asked for, and once. */
  @Access(everyone)
  @Priced({ weight: 1 })
  @Query(() => StatsType)
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
        [...(await readCounts())].map(([namespace, its]) => ({
          ...{ namespace, ...its },
          hitRate: hitRate([its]),
          rightRate: rightRate(its),
        })),
    }
  }
}

/** Percent with two decimals; 0 before the first lookup. */
function hitRate(counts: readonly CacheCounts[]): number {
  const hits = counts.reduce((sum, its) => sum + its.hits, 0)
  const lookups = counts.reduce((sum, its) => sum + its.hits + its.misses, 0)
  return lookups === 0 ? 0 : Math.round((hits / lookups) * 10_000) / 100
}

function rightRate({ audited, wrong }: CacheCounts): number {
  return audited === 0 ? 100 : Math.round(((audited - wrong) / audited) * 1_000_000) / 10_000
}
