import { Directive, Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql'
import { Access, everyone } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { Product } from './product.js'

@Access(everyone)
@Directive('@cacheControl(maxAge: 5, scope: PUBLIC)')
@ObjectType('Product', { implements: NodeType, simpleResolvers: true })
export class ProductType implements Product {
  id!: string

  @Field(() => String)
  name!: string

  @Field(() => Float, { description: 'In major units, exact to two decimals (stored as whole cents)' })
  price!: number

  @Field(() => Int)
  stock!: number

  @Field(() => String)
  category!: string
}

export const ProductConnectionType = connectionType('Product', () => ProductType)

@InputType('CreateProductInput')
export class CreateProductInput {
  @Field(() => String)
  name!: string

  @Field(() => Float, { description: 'From 0 to 1000000, with two decimals at most' })
  price!: number

  @Field(() => Int)
  stock!: number

  @Field(() => String)
  category!: string
}

@ObjectType('CreateProductsPayload', {
  simpleResolvers: true,
  description: 'All or nothing: products is empty when there is any userError',
})
export class CreateProductsPayloadType {
  @Field(() => [ProductType])
  products!: ProductType[]

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}

@ObjectType('ProductPayload', { simpleResolvers: true })
export class ProductPayloadType {
  @Field(() => ProductType, { nullable: true })
  product!: ProductType | null

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}

@ObjectType('ProductChange', { simpleResolvers: true })
export class ProductChangeType {
  @Field(() => ID)
  id!: string

  @Field(() => ProductType, { nullable: true, description: 'As it is now; null where it is gone' })
  product!: Product | null
}

@ObjectType('DeleteCategoryPayload', { simpleResolvers: true })
export class DeleteCategoryPayloadType {
  @Field(() => Int)
  deletedCount!: number

  @Field(() => [UserErrorType])
  userErrors!: UserErrorType[]
}
