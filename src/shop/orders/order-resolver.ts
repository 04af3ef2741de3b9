import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql'
import { Access, oneself, signedIn } from '../../graphql/access.js'
import type { Context } from '../../graphql/context.js'
import { GoneError } from '../../graphql/errors.js'
import { loadById } from '../../graphql/node.js'
import { Priced } from '../../graphql/price.js'
import { topicsOf } from '../../graphql/topics.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import type { products } from '../products/product.js'
import { ProductType } from '../products/product-type.js'
import type { users } from '../users/user.js'
import { UserType } from '../users/user-type.js'
import type { Order, orders } from './order.js'
import { CreateOrderInput, OrderPayloadType, OrderType } from './order-type.js'

/** With the loaders that this resolver uses */
type OrderContext = Context<{ orders: typeof orders; products: typeof products; users: typeof users }>

@Resolver(() => OrderType)
export class OrderResolver {
  @Access(signedIn)
  @Query(() => OrderType, { nullable: true })
  order(@Arg('id', () => ID) id: string, @Ctx() { loaders }: OrderContext) {
    return loadById('order', id, loaders.orders)
  }

  @FieldResolver(() => UserType, { nullable: true })
  user(@Root() { userId }: Order, @Ctx() { loaders }: OrderContext) {
    return loaders.users.load(userId)
  }

  @Priced({ listSize: 5 })
  @FieldResolver(() => [ProductType], {
    nullable: 'items',
    description: 'Same length and order as productIds; null where a product is gone',
  })
  products(@Root() { productIds }: Order, @Ctx() { loaders }: OrderContext) {
    return loaders.products.loadMany(productIds)
  }

  @Access(oneself<{ input: CreateOrderInput }>(({ input }) => input.userId))
  @Mutation(() => OrderPayloadType, {
    description: 'Takes the units out of stock and computes the total in one transaction',
  })
  async createOrder(
    @Arg('input', () => CreateOrderInput) input: CreateOrderInput,
    @Arg('idempotencyKey', () => String, {
      nullable: true,
      description: 'The same key with the same input gives the order that the first request made for this user, for 7 days',
    })
    idempotencyKey: string | null | undefined,
    @Ctx() { commands, loaders }: OrderContext,
  ) {
    const order = { ...input, idempotencyKey: idempotencyKey ?? null }
    const { value, userErrors } = valueAndErrors(await commands.createOrder(order))
    return { order: () => value && loaders.orders.load(value.id), replayed: value?.replayed ?? false, userErrors }
  }

  @Access(oneself(({ userId }: { userId: string }) => userId))
  @Subscription(() => OrderType, {
    description: "This user's new orders, each of them, however they were made",
    subscribe: ({ args, context }: { args: { userId: string }; context: Context }) =>
      context.live.subscribe(topicsOf('user', [args.userId], 'userId')),
  })
  async orderCreated(@Arg('userId', () => ID) _userId: string, @Root() id: string, @Ctx() { loaders }: OrderContext) {
    const order = await loaders.orders.load(id)
    if (order === null) throw new GoneError(id)
    return order
  }
}
