import { Arg, Ctx, Field, Float, Int, Mutation, ObjectType, Query, Resolver, registerEnumType } from 'type-graphql'
import { Access, administrators } from '../../graphql/access.js'
import type { CacheInfo, Context } from '../../graphql/context.js'
import { badUserInput, serviceUnavailable } from '../../graphql/errors.js'
import { Priced } from '../../graphql/price.js'
import { namespaces } from '../entities.js'

/** The values are the names of the cache's namespaces. */
export const CacheNamespace = Object.fromEntries(
  namespaces.map(({ name }) => [name.toUpperCase().replaceAll('-', '_'), name]),
) as Readonly<Record<string, string>>
registerEnumType(CacheNamespace, { name: 'CacheNamespace' })

@ObjectType('CacheInfo', { simpleResolvers: true, description: 'What the cache server says of itself' })
class CacheInfoType implements CacheInfo {
  @Field(() => String, { description: 'redis, redis-cluster or memory' })
  backend!: string

  @Field(() => Boolean)
  available!: boolean

  @Field(() => String, { nullable: true })
  version!: string | null

  @Field(() => Float, { nullable: true })
  usedMemoryBytes!: number | null

  @Field(() => Float, { nullable: true })
  uptimeSeconds!: number | null

  @Field(() => Int, { nullable: true })
  connectedClients!: number | null

  @Field(() => Float, { nullable: true })
  keys!: number | null
}

@ObjectType('WarmedNamespace', { simpleResolvers: true })
class WarmedNamespaceType {
  @Field(() => CacheNamespace)
  namespace!: string

  @Field(() => Int, { description: 'How many of the entries are in the cache now' })
  entries!: number
}

@ObjectType('WarmUpCachePayload', { simpleResolvers: true })
class WarmUpCachePayloadType {
  @Field(() => [WarmedNamespaceType])
  warmed!: WarmedNamespaceType[]
}

@ObjectType('FlushCachePayload', { simpleResolvers: true })
class FlushCachePayloadType {
  @Field(() => CacheNamespace)
  namespace!: string
}

const maxWarmUp = 100_000

@Resolver()
export class CacheAdminResolver {
  @Access(administrators)
  @Priced({ weight: 1 })
  @Query(() => CacheInfoType)
  cacheInfo(@Ctx() { cacheAdmin }: Context) {
    return cacheAdmin.info()
  }

  @Access(administrators)
  @Priced({ weight: 100 })
  @Mutation(() => WarmUpCachePayloadType, {
    description: 'Fills the cache ahead of traffic; all namespaces that can be warmed, unless named',
  })
  async warmUpCache(
    @Arg('namespaces', () => [CacheNamespace], { nullable: true }) namespaces: string[] | null | undefined,
    @Arg('limit', () => Int, {
      nullable: true,
      defaultValue: 1000,
      description: `The newest so many of each, ${maxWarmUp} at most`,
    })
    limit: number | null,
    @Ctx() { cacheAdmin }: Context,
  ) {
    const most = limit ?? 1000
    if (most < 1 || most > maxWarmUp) throw badUserInput(`limit must be between 1 and ${maxWarmUp}`)
    const warmed: WarmedNamespaceType[] = []
    for (const namespace of new Set(namespaces ?? Object.values(CacheNamespace))) {
      warmed.push({ namespace, entries: await cacheAdmin.warmUp(namespace, most) })
    }
    return { warmed }
  }

  @Access(administrators)
  @Mutation(() => FlushCachePayloadType, {
    description: 'Makes every entry of the namespace unreadable at once, whatever their number',
  })
  async flushCache(@Arg('namespace', () => CacheNamespace) namespace: string, @Ctx() { cacheAdmin }: Context) {
    if (!(await cacheAdmin.flush(namespace))) throw serviceUnavailable('The cache server cannot be reached, nothing was flushed')
    return { namespace }
  }
}
