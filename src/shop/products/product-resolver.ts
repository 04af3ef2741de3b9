import { Arg, Args, Ctx, Directive, ID, Int, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql'
import { Access, administrators, everyone } from '../../graphql/access.js'
import { ConnectionArgs, connection, namedSort } from '../../graphql/connection.js'
import type { Context } from '../../graphql/context.js'
import { badUserInput } from '../../graphql/errors.js'
import { Cost } from '../../graphql/field-cost.js'
import { loadById } from '../../graphql/node.js'
import { maxTopics, topicsOf } from '../../graphql/topics.js'
import { valueAndErrors } from '../../graphql/user-error.js'
import { maxCategoryLength, productSorts, type products } from './product.js'
import { toListFilter } from './product-filter.js'
import {
  CreateProductInput,
  CreateProductsPayloadType,
  DeleteCategoryPayloadType,
  ProductChangeType,
  ProductConnectionType,
  ProductFilterInput,
  ProductPayloadType,
  ProductSort,
  ProductType,
} from './product-type.js'

/** Context with the loaders used by this resolver */
type ProductContext = Context<{ products: typeof products }>

/** Maximum number of products per mutation. A larger transaction would hold its locks for too long. */
const maxNewProducts = 500

@Resolver(() => ProductType)
export class ProductResolver {
  @Access(everyone)
  @Query(() => ProductType, { nullable: true, description: 'The product with this id; null if there is none' })
  product(@Arg('id', () => ID, { description: 'Such as product_1' }) id: string, @Ctx() { loaders }: ProductContext) {
    return loadById('product', id, loaders.products)
  }

  @Access(everyone)
  @Directive('@cacheControl(maxAge: 5, scope: PUBLIC)')
  // A page with a filter may have to skip many rows, and a range with other bounds than `priceBounds` is not cached.
  @Cost({ argumentWeights: { filter: 3 } })
  @Query(() => ProductConnectionType, {
    description: 'The products of the shop, in the order of sortBy. Newest first; a page holds 20 unless told, 100 at most',
  })
  products(
    @Arg('category', () => String, { nullable: true, description: 'Only products of this category; all if absent or null' })
    category: string | null | undefined,
    @Arg('sortBy', () => ProductSort, { nullable: true, defaultValue: ProductSort.NEWEST, description: 'Order of the list' })
    sortBy: ProductSort | null | undefined,
    @Arg('filter', () => ProductFilterInput, {
      nullable: true,
      description: 'Only products that match. Costs 3 points, because Postgres may have to skip many rows',
    })
    filter: ProductFilterInput | null | undefined,
    @Args(() => ConnectionArgs) args: ConnectionArgs,
    @Ctx() { loaders }: ProductContext,
  ) {
    // Postgres rejects a parameter with NUL. Without this check, the client would receive an internal error.
    if (category?.includes('\u0000')) throw badUserInput('category must not contain NUL')
    if (category?.isWellFormed() === false) throw badUserInput('category must be valid Unicode')
    if (category != null && category.length > maxCategoryLength)
      throw badUserInput(`category must have at most ${maxCategoryLength} characters`)
    return connection(args, {
      listName: category == null ? 'products' : `products of ${category}`,
      listKey: category ?? null,
      sort: namedSort(productSorts, sortBy),
      filter: toListFilter(filter),
      listLoader: loaders.productLists,
      nodeLoader: loaders.products,
    })
  }

  @Access(administrators)
  @Cost({ maxItems: maxNewProducts })
  @Mutation(() => CreateProductsPayloadType, {
    description: `Creates products, ${maxNewProducts} at most: all of them, or none if there is any userError. For administrators only`,
  })
  async createProducts(
    @Arg('inputs', () => [CreateProductInput], { description: 'The new products' }) inputs: CreateProductInput[],
    @Ctx() { commands }: ProductContext,
  ) {
    const { value, userErrors } = valueAndErrors(await commands.createProducts(inputs))
    return { products: value ?? [], userErrors }
  }

  @Access(administrators)
  @Mutation(() => ProductPayloadType, { description: 'Sets the number of units in stock. For administrators only' })
  async updateProductStock(
    @Arg('productId', () => ID, { description: 'Such as product_1' }) productId: string,
    @Arg('stock', () => Int, { description: 'Number of units, 0 or more' }) stock: number,
    @Ctx() { commands, loaders }: ProductContext,
  ) {
    const { value: updatedId, userErrors } = valueAndErrors(await commands.updateProductStock(productId, stock))
    return { product: () => updatedId && loaders.products.load(updatedId), userErrors }
  }

  @Access(administrators)
  @Cost({ weight: 5 })
  @Mutation(() => DeleteCategoryPayloadType, {
    description:
      'Deletes every product of the category; their entries and every list they stood in leave the cache. For administrators only',
  })
  async deleteCategory(
    @Arg('category', () => String, { description: 'Name of the category' }) category: string,
    @Ctx() { commands }: ProductContext,
  ) {
    const { value, userErrors } = valueAndErrors(await commands.deleteCategory(category))
    return { deletedCount: value ?? 0, userErrors }
  }

  @Access(everyone)
  @Subscription(() => ProductChangeType, {
    description: `An event for each of these products that is changed, created or deleted, by any client. A slow subscriber receives only the latest event of each product`,
    subscribe: ({ args, context }: { args: { ids: string[] }; context: Context }) =>
      context.live.subscribe(topicsOf('product', args.ids, 'ids')),
  })
  async productChanged(
    @Arg('ids', () => [ID], { description: `Products to watch, ${maxTopics} at most` }) _ids: string[],
    @Root() id: string,
    @Ctx() { loaders }: ProductContext,
  ) {
    return { id, product: await loaders.products.load(id) }
  }
}
