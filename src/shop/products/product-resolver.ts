import { Arg, Args, Ctx, Directive, ID, Int, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql'
import { Access, administrators, everyone } from '../../graphql/access.js'
import { ConnectionArgs, connection } from '../../graphql/connection.js'
import type { Context } from '../../graphql/context.js'
import { badUserInput } from '../../graphql/errors.js'
import { loadById } from '../../graphql/node.js'
import { Priced } from '../../graphql/price.js'
import { maxTopics, topicsOf } from '../../graphql/topics.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import type { products } from './product.js'
import { maxCategoryLength } from './product.js'
import {
  CreateProductInput,
  CreateProductsPayloadType,
  DeleteCategoryPayloadType,
  ProductChangeType,
  ProductConnectionType,
  ProductPayloadType,
  ProductType,
} from './product-type.js'

/** With the loaders that this resolver uses */
type ProductContext = Context<{ products: typeof products }>

/** A transaction with more would hold up others. */
const maxNewProducts = 500

@Resolver(() => ProductType)
export class ProductResolver {
  @Access(everyone)
  @Query(() => ProductType, { nullable: true })
  product(@Arg('id', () => ID) id: string, @Ctx() { loaders }: ProductContext) {
    return loadById('product', id, loaders.products)
  }

  @Access(everyone)
  @Directive('@cacheControl(maxAge: 5, scope: PUBLIC)')
  @Query(() => ProductConnectionType, { description: 'Newest first; a page holds 20 unless told, 100 at most' })
  products(
    @Arg('category', () => String, { nullable: true }) category: string | null | undefined,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Ctx() { loaders }: ProductContext,
  ) {
    // Postgres cannot even be asked for it.
    if (category?.includes('\u0000')) throw badUserInput('category must not contain NUL')
    if (category?.isWellFormed() === false) throw badUserInput('category must be valid Unicode')
    if (category != null && category.length > maxCategoryLength)
      throw badUserInput(`category must have at most ${maxCategoryLength} characters`)
    return connection(args, {
      name: category == null ? 'products' : `products of ${category}`,
      list: category ?? null,
      lists: loaders.productLists,
      nodes: loaders.products,
    })
  }

  @Access(administrators)
  @Priced({ maxItems: maxNewProducts })
  @Mutation(() => CreateProductsPayloadType, { description: `${maxNewProducts} at most` })
  async createProducts(
    @Arg('inputs', () => [CreateProductInput]) inputs: CreateProductInput[],
    @Ctx() { commands }: ProductContext,
  ) {
    const { value, userErrors } = valueAndErrors(await commands.createProducts(inputs))
    return { products: value ?? [], userErrors }
  }

  @Access(administrators)
  @Mutation(() => ProductPayloadType)
  async updateProductStock(
    @Arg('productId', () => ID) productId: string,
    @Arg('stock', () => Int) stock: number,
    @Ctx() { commands, loaders }: ProductContext,
  ) {
    const { value, userErrors } = valueAndErrors(await commands.updateProductStock(productId, stock))
    return { product: () => value && loaders.products.load(value), userErrors }
  }

  @Access(administrators)
  @Priced({ weight: 5 })
  @Mutation(() => DeleteCategoryPayloadType, {
    description: 'Deletes every product of the category; their entries and every list they stood in leave the cache',
  })
  async deleteCategory(@Arg('category', () => String) category: string, @Ctx() { commands }: ProductContext) {
    const { value, userErrors } = valueAndErrors(await commands.deleteCategory(category))
    return { deletedCount: value ?? 0, userErrors }
  }

  @Access(everyone)
  @Subscription(() => ProductChangeType, {
    description: `What changed, was made or was deleted, whoever did it. Who reads slowly gets the newest only. ${maxTopics} ids at most`,
    subscribe: ({ args, context }: { args: { ids: string[] }; context: Context }) =>
      context.live.subscribe(topicsOf('product', args.ids, 'ids')),
  })
  async productChanged(@Arg('ids', () => [ID]) _ids: string[], @Root() id: string, @Ctx() { loaders }: ProductContext) {
    return { id, product: await loaders.products.load(id) }
  }
}
