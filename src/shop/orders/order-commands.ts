import { createHash } from 'node:crypto'
import { idNumber, publicId } from 'cached-resolvers'
import type { TransactionSql } from 'postgres'
import { type CommandContext, type Outcome, runCommand } from '../command.js'
import { allValid, idempotencyKeySchema, productIdsSchema } from '../input.js'
import { Refusal, type UserError } from '../user-error.js'
import { claimKey, type IdempotencyKey, saveOrderOfKey } from './idempotency-keys.js'

export interface NewOrder {
  userId: string
  /** One for each unit */
  productIds: readonly string[]
  /** The customer's own: the same key with the same order gives the order that the first call made. */
  idempotencyKey: string | null
}

export interface PlacedOrder {
  id: string
  /** Made by an earlier call with the same key */
  replayed: boolean
}

/** Takes the units out of stock and stores the prices paid. */
export function createOrder(context: CommandContext, order: NewOrder): Promise<Outcome<PlacedOrder>> {
  return runCommand(context, async (transaction) => {
    allValid([
      [productIdsSchema, order.productIds, ['input', 'productIds']],
      [idempotencyKeySchema.nullable(), order.idempotencyKey, ['idempotencyKey']],
    ])
    const key = keyOf(order)
    if (!key) return { id: await placeOrder(transaction, order), replayed: false }
    const earlier = await claimKey(transaction, key)
    if (earlier !== null) return { id: publicId('order', earlier), replayed: true }
    const id = await placeOrder(transaction, order)
    await saveOrderOfKey(transaction, key, idNumber('order', id))
    return { id, replayed: false }
  })
}

/** null where there is none; nor where there can be no such customer, whose order is refused anyway. */
function keyOf({ idempotencyKey: key, userId, productIds }: NewOrder): IdempotencyKey | null {
  const user = idNumber('user', userId)
  if (key === null || user === null) return null
  const inputHash = createHash('sha256')
    .update(JSON.stringify([userId, productIds]))
    .digest('hex')
  return { key, user, inputHash }
}

async function placeOrder(transaction: TransactionSql, { userId, productIds }: NewOrder): Promise<string> {
  const numbers = productIds.map((id) => idNumber('product', id))
  const user = idNumber('user', userId)
  const found = await transaction`select 1 from users where id = ${user} for key share`
  const products = await lockProducts(transaction, numbers)
  const userErrors: UserError[] = productErrors(productIds, numbers, products)
  if (found.length === 0) {
    userErrors.unshift({ code: 'NOT_FOUND', message: `There is no user ${userId}`, field: ['input', 'userId'] })
  }
  if (userErrors.length > 0) throw new Refusal(userErrors)
  const prices = numbers.map((number) => products.get(number)?.price_cents ?? 0)
  await takeStock(transaction, numbers as number[])
  const total = prices.reduce((sum, cents) => sum + cents, 0)
  const [order] = await transaction<[{ id: number }]>`
    insert into orders (user_id, total_cents) values (${user}, ${total}) returning id`
  await transaction`
    insert into order_items (order_id, position, product_id, price_cents)
    select ${order.id}, position - 1, product_id, price_cents
    from unnest(${numbers}::bigint[], ${prices}::bigint[]) with ordinality as item (product_id, price_cents, position)`
  return publicId('order', order.id)
}

interface LockedProduct {
  id: number
  name: string
  price_cents: number
  stock: number
}

/** In the order of their ids, so that two orders of the same products cannot block each other. */
async function lockProducts(transaction: TransactionSql, numbers: readonly (number | null)[]) {
  const rows = await transaction<LockedProduct[]>`
    select id, name, price_cents, stock from products where id = any(${numbers as number[]}::bigint[]) order by id for update`
  return new Map<number | null, LockedProduct>(rows.map((row) => [row.id, row]))
}

async function takeStock(transaction: TransactionSql, numbers: readonly number[]): Promise<void> {
  await transaction`
    update products set stock = stock - taken.units
    from (select id, count(*)::int as units from unnest(${numbers as number[]}::bigint[]) id group by id) taken
    where products.id = taken.id`
}

/** One for each unknown product and for each that has too few units left, at its first unit too many. */
function productErrors(
  productIds: readonly string[],
  numbers: readonly (number | null)[],
  products: ReadonlyMap<number | null, LockedProduct>,
): UserError[] {
  const asked = new Map<string, number>()
  return productIds.flatMap((id, index): UserError[] => {
    const units = (asked.get(id) ?? 0) + 1
    asked.set(id, units)
    const field = ['input', 'productIds', String(index)]
    const product = products.get(numbers[index] ?? null)
    if (!product) return units === 1 ? [{ code: 'NOT_FOUND', message: `There is no product ${id}`, field }] : []
    if (units !== product.stock + 1) return []
    const message = `Only ${product.stock} of ${id} (${product.name}) ${product.stock === 1 ? 'is' : 'are'} left`
    return [{ code: 'OUT_OF_STOCK', message, field }]
  })
}
