import { Directive, Field, Float, ID, InputType, ObjectType } from 'type-graphql'
import { Access, owner } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { DateTime } from '../../graphql/scalars.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { Order } from './order.js'

@Access(owner(({ userId }: Order) => userId))
@Directive('@cacheControl(maxAge: 0, scope: PRIVATE)')
@ObjectType('Order', { implements: NodeType, simpleResolvers: true })
export class OrderType implements Order {
  id!: string

  @Field(() => ID)
  userId!: string

  @Field(() => [ID], { description: 'One entry per unit bought, in the order given; an id may repeat' })
  productIds!: string[]

  @Field(() => Float, { description: 'Sum of the prices at the time of the order, exact to two decimals' })
  total!: number

  @Field(() => DateTime)
  createdAt!: string
}

export const OrderConnectionType = connectionType('Order', () => OrderType)

@InputType('CreateOrderInput')
export class CreateOrderInput {
  @Field(() => ID)
  userId!: string

  @Field(() => [ID], { description: 'One entry per unit, 100 at most; repeat an id to buy several' })
  productIds!: string[]
}

@ObjectType('OrderPayload', { simpleResolvers: true })
export class OrderPayloadType {
  @Field(() => OrderType, { nullable: true })
  order!: OrderType | null

  @Field(() => Boolean, {
    description: 'True when this is the stored answer to an earlier request with the same idempotencyKey',
  })
  replayed!: boolean

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}
