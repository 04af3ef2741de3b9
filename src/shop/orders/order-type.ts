import { Directive, Field, Float, ID, InputType, ObjectType, registerEnumType } from 'type-graphql'
import { Access, owner } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { DateTime } from '../../graphql/scalars.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { Order } from './order.js'

@Access(owner(({ userId }: Order) => userId))
@Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
@ObjectType('Order', { implements: NodeType, simpleResolvers: true, description: 'An order of a user' })
export class OrderType implements Order {
  id!: string

  @Field(() => ID, { description: 'Id of the user who placed the order' })
  userId!: string

  @Field(() => [ID], { description: 'One entry per unit bought, in the order given; an id may repeat' })
  productIds!: string[]

  @Field(() => Float, { description: 'Sum of the prices at the time of the order, exact to two decimals, in major units' })
  total!: number

  @Field(() => DateTime, { description: 'When the order was placed' })
  createdAt!: string
}

export const OrderConnectionType = connectionType('Order', () => OrderType)

/** The orders of a user's list of orders: NEWEST, or a key of orderSorts */
export const OrderSort = { NEWEST: 'NEWEST', OLDEST: 'OLDEST', TOTAL_DESC: 'TOTAL_DESC' } as const
export type OrderSort = keyof typeof OrderSort

registerEnumType(OrderSort, {
  name: 'OrderSort',
  description: 'Order of a list of orders. Orders with equal totals are ordered by their ids, newest first',
  valuesConfig: {
    NEWEST: { description: 'The order placed last comes first' },
    OLDEST: { description: 'The order placed first comes first' },
    TOTAL_DESC: { description: 'The order with the highest total comes first' },
  },
})

@InputType('CreateOrderInput', { description: 'A new order' })
export class CreateOrderInput {
  @Field(() => ID, { description: 'The user who places the order, such as user_1' })
  userId!: string

  @Field(() => [ID], { description: 'One entry per unit, 100 at most; repeat an id to buy several' })
  productIds!: string[]
}

@ObjectType('OrderPayload', { simpleResolvers: true, description: 'Result of createOrder' })
export class OrderPayloadType {
  @Field(() => OrderType, { nullable: true, description: 'The order; null if there are userErrors' })
  order!: OrderType | null

  @Field(() => Boolean, {
    description: 'True when this is the stored answer to an earlier request with the same idempotencyKey',
  })
  replayed!: boolean

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}
