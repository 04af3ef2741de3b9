import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql'
import { Access, oneself, signedIn } from '../../graphql/access.js'
import type { Context } from '../../graphql/context.js'
import { DeletedError } from '../../graphql/errors.js'
import { Cost } from '../../graphql/field-cost.js'
import { loadById } from '../../graphql/node.js'
import { topicsOf } from '../../graphql/topics.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import type { products } from '../products/product.js'
import { ProductType } from '../products/product-type.js'
import type { users } from '../users/user.js'
import { UserType } from '../users/user-type.js'
import type { Order, orders } from './order.js'
import { CreateOrderInput, OrderPayloadType, OrderType } from './order-type.js'

/** Context with the loaders used by this resolver */
type OrderContext = Context<{ orders: typeof orders; products: typeof products; users: typeof users }>

@Resolver(() => OrderType)
export class OrderResolver {
  @Access(signedIn)
  @Query(() => OrderType, { nullable: true, description: 'The order with this id; null if there is none' })
  order(@Arg('id', () => ID, { description: 'Such as order_1' }) id: string, @Ctx() { loaders }: OrderContext) {
    return loadById('order', id, loaders.orders)
  }

  @FieldResolver(() => UserType, { nullable: true, description: 'The user who placed the order; null if it cannot be found' })
  user(@Root() { userId }: Order, @Ctx() { loaders }: OrderContext) {
    return loaders.users.load(userId)
  }

  @Cost({ listSize: 5 })
  @FieldResolver(() => [ProductType], {
    nullable: 'items',
    description: 'Same length and order as productIds; null where a product is gone',
  })
  products(@Root() { productIds }: Order, @Ctx() { loaders }: OrderContext) {
    return loaders.products.loadMany(productIds)
  }

  @Access(oneself<{ input: CreateOrderInput }>(({ input }) => input.userId))
  @Mutation(() => OrderPayloadType, {
    description: 'Places an order. Takes the units out of stock and computes the total in one transaction',
  })
  async createOrder(
    @Arg('input', () => CreateOrderInput, { description: 'The new order' }) input: CreateOrderInput,
    @Arg('idempotencyKey', () => String, {
      nullable: true,
      description:
        'A unique key chosen by the client. For 7 days, a request with the same key, user and input returns the order of the first request',
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
    description: 'An event for each new order of this user, however it was placed',
    subscribe: ({ args, context }: { args: { userId: string }; context: Context }) =>
      context.live.subscribe(topicsOf('user', [args.userId], 'userId')),
  })
  async orderCreated(
    @Arg('userId', () => ID, { description: 'Such as user_1' }) _userId: string,
    @Root() id: string,
    @Ctx() { loaders }: OrderContext,
  ) {
    const order = await loaders.orders.load(id)
    if (order === null) throw new DeletedError(id)
    return order
  }
}
