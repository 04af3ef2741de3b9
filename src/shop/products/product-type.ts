import { Directive, Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql'
import { Access, everyone } from '../../graphql/access.js'
import { connectionType } from '../../graphql/connection.js'
import { NodeType } from '../../graphql/node.js'
import { UserErrorType } from '../../graphql/user-error.js'
import { type Product, priceBounds } from './product.js'

/** The bounds of cached ranges of prices, in major units */
const bounds = priceBounds.map((cents) => cents / 100).join(', ')

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

/** The orders of lists of products: NEWEST, or a key of productSorts */
export const ProductSort = { NEWEST: 'NEWEST', PRICE_ASC: 'PRICE_ASC', PRICE_DESC: 'PRICE_DESC', NAME_ASC: 'NAME_ASC' } as const
export type ProductSort = keyof typeof ProductSort

registerEnumType(ProductSort, {
  name: 'ProductSort',
  description: 'Order of a list of products. Products with equal prices or names are ordered by their ids',
  valuesConfig: {
    NEWEST: { description: 'The product created last comes first' },
    PRICE_ASC: { description: 'The cheapest product comes first' },
    PRICE_DESC: { description: 'The most expensive product comes first' },
    NAME_ASC: {
      description: 'Alphabetical, by the root collation of Unicode: accents and case matter only between equal letters',
    },
  },
})

@InputType('ProductFilter', { description: 'Selects products. A field that is absent or null selects all' })
export class ProductFilterInput {
  @Field(() => Boolean, { nullable: true, description: 'true: only products with units in stock; false: only products without' })
  inStock?: boolean | null

  @Field(() => Float, {
    nullable: true,
    description: `Lowest price, in major units. Pages are cached if minPrice and maxPrice are absent or among ${bounds}`,
  })
  minPrice?: number | null

  @Field(() => Float, {
    nullable: true,
    description: 'Highest price, in major units. Products at exactly this price are included',
  })
  maxPrice?: number | null
}

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
