import { Arg, Ctx, Field, Float, Int, Mutation, ObjectType, Query, Resolver, registerEnumType } from 'type-graphql'
import { Access, administrators } from '../../graphql/access.js'
import type { CacheInfo, Context } from '../../graphql/context.js'
import { badUserInput, serviceUnavailable } from '../../graphql/errors.js'
import { Cost } from '../../graphql/field-cost.js'
import { namespaces } from '../entities.js'

/** The names of the namespaces by enum value. Enum values are namespace names in upper case with underscores. */
export const CacheNamespace = Object.fromEntries(
  namespaces.map(({ name }) => [name.toUpperCase().replaceAll('-', '_'), name]),
) as Readonly<Record<string, string>>
registerEnumType(CacheNamespace, {
  name: 'CacheNamespace',
  description: 'A group of cache entries of one kind',
  valuesConfig: Object.fromEntries(
    Object.entries(CacheNamespace).map(([value, name]) => [value, { description: `The namespace ${name}` }]),
  ),
})

@ObjectType('CacheInfo', {
  simpleResolvers: true,
  description: 'What the cache server says of itself: whether it is available, its version, memory and keys',
})
class CacheInfoType implements CacheInfo {
  @Field(() => String, { description: 'Kind of store: redis, redis-cluster or memory' })
  backend!: string

  @Field(() => Boolean, { description: 'Whether the cache server can be reached' })
  available!: boolean

  @Field(() => String, { nullable: true, description: 'Version of the cache server; null if unknown' })
  version!: string | null

  @Field(() => Float, { nullable: true, description: 'Memory used by the cache server, in bytes; null if unknown' })
  usedMemoryBytes!: number | null

  @Field(() => Float, { nullable: true, description: 'Seconds since the start of the cache server; null if unknown' })
  uptimeSeconds!: number | null

  @Field(() => Int, { nullable: true, description: 'Number of connections to the cache server; null if unknown' })
  connectedClients!: number | null

  @Field(() => Float, { nullable: true, description: 'Number of keys in the cache server; null if unknown' })
  keys!: number | null
}

@ObjectType('WarmedNamespace', { simpleResolvers: true, description: 'Result of a warm-up for one namespace' })
class WarmedNamespaceType {
  @Field(() => CacheNamespace, { description: 'The warmed namespace' })
  namespace!: string

  @Field(() => Int, { description: 'Number of the requested entries that are now in the cache' })
  entries!: number
}

@ObjectType('WarmUpCachePayload', { simpleResolvers: true, description: 'Result of warmUpCache' })
class WarmUpCachePayloadType {
  @Field(() => [WarmedNamespaceType], { description: 'One element per namespace' })
  warmed!: WarmedNamespaceType[]
}

@ObjectType('FlushCachePayload', { simpleResolvers: true, description: 'Result of flushCache' })
class FlushCachePayloadType {
  @Field(() => CacheNamespace, { description: 'The flushed namespace' })
  namespace!: string
}

const maxWarmUp = 100_000

@Resolver()
export class CacheAdminResolver {
  @Access(administrators)
  @Cost({ weight: 1 })
  @Query(() => CacheInfoType, { description: 'State of the cache server. For administrators only' })
  cacheInfo(@Ctx() { cacheAdmin }: Context) {
    return cacheAdmin.info()
  }

  @Access(administrators)
  @Cost({ weight: 100 })
  @Mutation(() => WarmUpCachePayloadType, {
    description: 'Fills the cache ahead of traffic; all namespaces that can be warmed, unless named. For administrators only',
  })
  async warmUpCache(
    @Arg('namespaces', () => [CacheNamespace], { nullable: true, description: 'Namespaces to warm; all if absent or null' })
    namespaces: string[] | null | undefined,
    @Arg('limit', () => Int, {
      nullable: true,
      defaultValue: 1000,
      description: `Number of newest entries to load per namespace, from 1 to ${maxWarmUp}`,
    })
    limit: number | null,
    @Ctx() { cacheAdmin }: Context,
  ) {
    const maxEntries = limit ?? 1000
    if (maxEntries < 1 || maxEntries > maxWarmUp) throw badUserInput(`limit must be between 1 and ${maxWarmUp}`)
    const warmed: WarmedNamespaceType[] = []
    for (const namespace of new Set(namespaces ?? Object.values(CacheNamespace))) {
      warmed.push({ namespace, entries: await cacheAdmin.warmUp(namespace, maxEntries) })
    }
    return { warmed }
  }

  @Access(administrators)
  @Mutation(() => FlushCachePayloadType, {
    description:
      'Invalidates a namespace. Makes every entry of the namespace unreadable at once, whatever their number. For administrators only',
  })
  async flushCache(
    @Arg('namespace', () => CacheNamespace, { description: 'The namespace to flush' }) namespace: string,
    @Ctx() { cacheAdmin }: Context,
  ) {
    if (!(await cacheAdmin.flush(namespace))) throw serviceUnavailable('The cache server cannot be reached. Nothing was flushed')
    return { namespace }
  }
}
