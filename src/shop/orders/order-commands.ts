import { createHash } from 'node:crypto'
import { idNumber, publicId } from 'cached-resolvers'
import type { TransactionSql } from 'postgres'
import { type CommandContext, type Outcome, runCommand } from '../command.js'
import { idempotencyKeySchema, productIdsSchema, requireValid } from '../input.js'
import { Refusal, type UserError } from '../user-error.js'
import { claimKey, type IdempotencyKey, recordOrderForKey } from './idempotency-keys.js'

export interface NewOrder {
  userId: string
  /** One entry per unit */
  productIds: readonly string[]
  /** Chosen by the customer: a repeated call with the same key and order returns the order of the first call. */
  idempotencyKey: string | null
}

export interface PlacedOrder {
  id: string
  /** Whether an earlier call with the same key placed the order */
  replayed: boolean
}

/** Places an order. Takes the units out of stock and stores the prices paid. */
export function createOrder(context: CommandContext, order: NewOrder): Promise<Outcome<PlacedOrder>> {
  return runCommand(context, async (transaction) => {
    requireValid([
      [productIdsSchema, order.productIds, ['input', 'productIds']],
      [idempotencyKeySchema.nullable(), order.idempotencyKey, ['idempotencyKey']],
    ])
    const key = keyOf(order)
    if (!key) return { id: await placeOrder(transaction, order), replayed: false }
    const existing = await claimKey(transaction, key)
    if (existing !== null) return { id: publicId('order', existing), replayed: true }
    const id = await placeOrder(transaction, order)
    await recordOrderForKey(transaction, key, idNumber('order', id))
    return { id, replayed: false }
  })
}

/**
 * Returns null in two cases: if the caller sent no idempotency key, and if the user id is malformed. In the second case,
 * placeOrder() refuses the order.
 */
function keyOf({ idempotencyKey: key, userId, productIds }: NewOrder): IdempotencyKey | null {
  const userRowId = idNumber('user', userId)
  if (key === null || userRowId === null) return null
  const inputHash = createHash('sha256')
    .update(JSON.stringify([userId, productIds]))
    .digest('hex')
  return { key, userRowId, inputHash }
}

async function placeOrder(transaction: TransactionSql, { userId, productIds }: NewOrder): Promise<string> {
  const productRowIds = productIds.map((id) => idNumber('product', id))
  const userRowId = idNumber('user', userId)
  const lockedUsers = await transaction`select 1 from users where id = ${userRowId} for key share`
  const products = await lockProducts(transaction, productRowIds)
  const userErrors: UserError[] = productErrors(productIds, productRowIds, products)
  if (lockedUsers.length === 0) {
    userErrors.unshift({ code: 'NOT_FOUND', message: `There is no user ${userId}`, field: ['input', 'userId'] })
  }
  if (userErrors.length > 0) throw new Refusal(userErrors)
  const prices = productRowIds.map((rowId) => products.get(rowId)?.price_cents ?? 0)
  await takeStock(transaction, productRowIds as number[])
  const total = prices.reduce((sum, cents) => sum + cents, 0)
  const [order] = await transaction<[{ id: number }]>`
    insert into orders (user_id, total_cents) values (${userRowId}, ${total}) returning id`
  await transaction`
    insert into order_items (order_id, position, product_id, price_cents)
    select ${order.id}, position - 1, product_id, price_cents
    from unnest(${productRowIds}::bigint[], ${prices}::bigint[]) with ordinality as item (product_id, price_cents, position)`
  return publicId('order', order.id)
}

interface LockedProduct {
  id: number
  name: string
  price_cents: number
  stock: number
}

/** Locks the products in id order, so that two orders of the same products cannot deadlock. */
async function lockProducts(transaction: TransactionSql, productRowIds: readonly (number | null)[]) {
  const rows = await transaction<LockedProduct[]>`
    select id, name, price_cents, stock from products where id = any(${productRowIds as number[]}::bigint[]) order by id for update`
  return new Map<number | null, LockedProduct>(rows.map((row) => [row.id, row]))
}

async function takeStock(transaction: TransactionSql, productRowIds: readonly number[]): Promise<void> {
  await transaction`
    update products set stock = stock - taken.units
    from (select id, count(*)::int as units from unnest(${productRowIds as number[]}::bigint[]) id group by id) taken
    where products.id = taken.id`
}

/**
 * Returns one error for each unknown product and for each product with too little stock. The `field` of an error about the stock
 * is the path of the first element of `productIds` that exceeds the stock.
 */
function productErrors(
  productIds: readonly string[],
  productRowIds: readonly (number | null)[],
  products: ReadonlyMap<number | null, LockedProduct>,
): UserError[] {
  const requested = new Map<string, number>()
  return productIds.flatMap((id, index): UserError[] => {
    const units = (requested.get(id) ?? 0) + 1
    requested.set(id, units)
    const field = ['input', 'productIds', String(index)]
    const product = products.get(productRowIds[index] ?? null)
    if (!product) return units === 1 ? [{ code: 'NOT_FOUND', message: `There is no product ${id}`, field }] : []
    if (units !== product.stock + 1) return []
    return [{ code: 'OUT_OF_STOCK', message: outOfStockMessage(id, product), field }]
  })
}

function outOfStockMessage(id: string, { name, stock }: LockedProduct): string {
  if (stock === 0) return `${name} (${id}) is out of stock`
  return `Only ${stock} ${stock === 1 ? 'unit' : 'units'} of ${name} (${id}) ${stock === 1 ? 'is' : 'are'} left`
}
