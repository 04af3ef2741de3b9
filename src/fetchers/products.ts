import type { Queryable } from '../database/connection.js'
import { idNumber, type Product, publicId } from '../model.js'

export async function fetchProducts(database: Queryable, ids: readonly string[]): Promise<Map<string, Product>> {
  const rows = await database<ProductRow[]>`
    select id, name, price_cents, stock, category from products
    where id = any(${ids.map((id) => idNumber('product', id))}::bigint[])`
  return new Map(rows.map((row) => [publicId('product', row.id), toProduct(row)]))
}

interface ProductRow {
  id: number
  name: string
  price_cents: number
  stock: number
  category: string
}

function toProduct({ id, name, price_cents, stock, category }: ProductRow): Product {
  return { id: publicId('product', id), name, price: price_cents / 100, stock, category }
}
