import 'reflect-metadata'
import {
  Arg,
  buildSchemaSync,
  Ctx,
  Field,
  FieldResolver,
  Float,
  ID,
  Int,
  Mutation,
  ObjectType,
  Query,
  Resolver,
  Root,
} from 'type-graphql'
import type { Order, Product, User } from './rows.js'

/** How resolvers read and write values: the only difference between the servers with TypeGraphQL */
export interface Context {
  product: (id: string) => Promise<Product | null>
  user: (id: string) => Promise<User | null>
  order: (id: string) => Promise<Order | null>
  userOrderIds: (userId: string, first: number) => Promise<string[]>
  updateStock: (productId: string, stock: number) => Promise<Product | null>
}

@ObjectType('Product')
class ProductType {
  @Field(() => ID)
  id!: string

  @Field(() => String)
  name!: string

  @Field(() => Float)
  price!: number

  @Field(() => Int)
  stock!: number

  @Field(() => String)
  category!: string
}

@ObjectType('ProductPayload')
class ProductPayloadType {
  @Field(() => ProductType, { nullable: true })
  product!: ProductType | null
}

@ObjectType('Order')
class OrderType {
  @Field(() => ID)
  id!: string

  @Field(() => Float)
  total!: number

  @Field(() => String)
  createdAt!: string
}

@ObjectType('OrderConnection')
class OrderConnectionType {
  @Field(() => [OrderType])
  nodes!: OrderType[]
}

@ObjectType('User')
class UserType {
  @Field(() => ID)
  id!: string

  @Field(() => String)
  email!: string

  @Field(() => String)
  name!: string

  @Field(() => String)
  createdAt!: string
}

@Resolver(() => ProductType)
class ProductResolver {
  @Query(() => ProductType, { nullable: true })
  product(@Arg('id', () => ID) id: string, @Ctx() context: Context) {
    return context.product(id)
  }

  @Mutation(() => ProductPayloadType)
  async updateProductStock(
    @Arg('productId', () => ID) productId: string,
    @Arg('stock', () => Int) stock: number,
    @Ctx() context: Context,
  ) {
    return { product: await context.updateStock(productId, stock) }
  }
}

@Resolver(() => OrderType)
class OrderResolver {
  @Query(() => OrderType, { nullable: true })
  order(@Arg('id', () => ID) id: string, @Ctx() context: Context) {
    return context.order(id)
  }

  @FieldResolver(() => UserType, { nullable: true })
  user(@Root() { userId }: Order, @Ctx() context: Context) {
    return context.user(userId)
  }

  @FieldResolver(() => [ProductType], { nullable: 'items' })
  products(@Root() { productIds }: Order, @Ctx() context: Context) {
    return Promise.all(productIds.map((id) => context.product(id)))
  }
}

@Resolver(() => UserType)
class UserResolver {
  @Query(() => UserType, { nullable: true })
  user(@Arg('id', () => ID) id: string, @Ctx() context: Context) {
    return context.user(id)
  }

  @FieldResolver(() => OrderConnectionType)
  async orders(@Root() { id }: User, @Arg('first', () => Int, { defaultValue: 20 }) first: number, @Ctx() context: Context) {
    const ids = await context.userOrderIds(id, first)
    return { nodes: await Promise.all(ids.map((orderId) => context.order(orderId))) }
  }
}

export const schema = buildSchemaSync({ resolvers: [ProductResolver, OrderResolver, UserResolver] })
