import type { OrderParts } from './pieces.js'

type Piece = string | null | undefined

export function productAnswer(product: Piece): string {
  return `{"data":{"product":${product ?? null}}}`
}

/** `pieces` are the fragments of the user and of the products. */
export function orderAnswer({ fields, createdAt }: OrderParts, pieces: readonly Piece[]): string {
  let products = ''
  for (let index = 1; index < pieces.length; index += 1) products += `${index === 1 ? '' : ','}${pieces[index] ?? null}`
  const user = pieces[0] == null ? 'null' : `${pieces[0]}}`
  return `{"data":{"order":${fields}${createdAt},"user":${user},"products":[${products}]}}}`
}

/** `products` are those of all orders, concatenated. */
export function userAnswer(user: string, orders: readonly OrderParts[], products: readonly Piece[]): string {
  let nodes = ''
  let next = 0
  for (const { fields, productIds } of orders) {
    nodes += `${nodes === '' ? '' : ','}${fields},"products":[`
    for (let index = 0; index < productIds.length; index += 1) nodes += `${index === 0 ? '' : ','}${products[next++] ?? null}`
    nodes += ']}'
  }
  return `{"data":{"user":${user},"orders":{"nodes":[${nodes}]}}}}`
}
