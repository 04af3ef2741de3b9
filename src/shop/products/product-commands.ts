import { idNumber, publicId } from 'cached-resolvers'
import { type CommandContext, type Outcome, runCommand } from '../command.js'
import { categorySchema, nameSchema, priceSchema, requireValid, stockSchema, toCents } from '../input.js'
import { refuse } from '../user-error.js'
import type { Product } from './product.js'

export interface NewProduct {
  name: string
  price: number
  stock: number
  category: string
}

/**
 * Creates all products or none. Returns the products in input order, as the INSERT returned them. A separate read could fail and hide
 * that the products were created.
 */
export function createProducts(context: CommandContext, inputs: readonly NewProduct[]): Promise<Outcome<Product[]>> {
  return runCommand(context, async (transaction) => {
    if (inputs.length === 0) refuse('INVALID', 'inputs must name at least one product', ['inputs'])
    requireValid(
      inputs.flatMap(({ name, price, stock, category }, index) => [
        [nameSchema, name, ['inputs', String(index), 'name']],
        [priceSchema, price, ['inputs', String(index), 'price']],
        [stockSchema, stock, ['inputs', String(index), 'stock']],
        [categorySchema, category, ['inputs', String(index), 'category']],
      ]),
    )
    const products = await transaction<(Omit<Product, 'id' | 'price'> & { id: number; price_cents: number })[]>`
      insert into products (name, price_cents, stock, category)
      select name, price_cents, stock, category from unnest(
        ${inputs.map(({ name }) => name)}::text[],
        ${inputs.map(({ price }) => toCents(price))}::bigint[],
        ${inputs.map(({ stock }) => stock)}::int[],
        ${inputs.map(({ category }) => category)}::text[]
      ) with ordinality as input (name, price_cents, stock, category, position)
      order by position returning id, name, price_cents, stock, category`
    return products.map(({ id, price_cents, ...product }) => ({
      id: publicId('product', id),
      price: price_cents / 100,
      ...product,
    }))
  })
}

/** Returns the product's id. */
export function updateProductStock(context: CommandContext, productId: string, stock: number): Promise<Outcome<string>> {
  return runCommand(context, async (transaction) => {
    requireValid([[stockSchema, stock, ['stock']]])
    const updated = await transaction`update products set stock = ${stock} where id = ${idNumber('product', productId)}`
    return updated.count === 1 ? productId : refuse('NOT_FOUND', `There is no product ${productId}`, ['productId'])
  })
}

/** Returns the number of deleted products. Orders keep the ids of the products bought. */
export function deleteCategory(context: CommandContext, category: string): Promise<Outcome<number>> {
  return runCommand(context, async (transaction) => {
    requireValid([[categorySchema, category, ['category']]])
    // Locks the products in id order, as createOrder does, so that the two commands cannot deadlock.
    await transaction`select 1 from products where category = ${category} order by id for update`
    const deleted = await transaction`delete from products where category = ${category}`
    return deleted.count > 0
      ? deleted.count
      : refuse('NOT_FOUND', `There is no product in the category ${category}`, ['category'])
  })
}
