import { Directive, Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql'
import { Access, everyone } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { UserErrorType } from '../../graphql/user-error.js'
import type { Product } from './product.js'

@Access(everyone)
@Directive('@cacheControl(maxAge: 5, scope: PUBLIC)')
@ObjectType('Product', { implements: NodeType, simpleResolvers: true, description: 'A product of the shop' })
export class ProductType implements Product {
  id!: string

  @Field(() => String, { description: 'Name of the product' })
  name!: string

  @Field(() => Float, { description: 'In major units, exact to two decimals (stored as whole cents)' })
  price!: number

  @Field(() => Int, { description: 'Number of units in stock' })
  stock!: number

  @Field(() => String, { description: 'Name of the category' })
  category!: string
}

export const ProductConnectionType = connectionType('Product', () => ProductType)

@InputType('CreateProductInput', { description: 'A new product' })
export class CreateProductInput {
  @Field(() => String, { description: 'At most 200 characters' })
  name!: string

  @Field(() => Float, { description: 'In major units, from 0 to 1000000, with two decimals at most' })
  price!: number

  @Field(() => Int, { description: 'Number of units in stock, 0 or more' })
  stock!: number

  @Field(() => String, { description: 'At most 100 characters' })
  category!: string
}

@ObjectType('CreateProductsPayload', {
  simpleResolvers: true,
  description: 'All or nothing: products is empty when there is any userError',
})
export class CreateProductsPayloadType {
  @Field(() => [ProductType], { description: 'The new products, in the order of the inputs; empty if there are userErrors' })
  products!: ProductType[]

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}

@ObjectType('ProductPayload', { simpleResolvers: true, description: 'Result of updateProductStock' })
export class ProductPayloadType {
  @Field(() => ProductType, { nullable: true, description: 'The product as written; null if there are userErrors' })
  product!: ProductType | null

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}

@ObjectType('ProductChange', { simpleResolvers: true, description: 'An event of productChanged' })
export class ProductChangeType {
  @Field(() => ID, { description: 'Id of the product' })
  id!: string

  @Field(() => ProductType, { nullable: true, description: 'The current state of the product; null if it was deleted' })
  product!: Product | null
}

@ObjectType('DeleteCategoryPayload', { simpleResolvers: true, description: 'Result of deleteCategory' })
export class DeleteCategoryPayloadType {
  @Field(() => Int, { description: 'Number of deleted products; 0 if there are userErrors' })
  deletedCount!: number

  @Field(() => [UserErrorType], { description: 'Why nothing was changed; empty on success' })
  userErrors!: UserErrorType[]
}
