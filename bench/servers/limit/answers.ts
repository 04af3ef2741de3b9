import { queriesHaveStock } from '../shared/environment.js'
import type { Order, Product, User } from '../shared/rows.js'

// Concatenates the answers: ids, numbers and timestamps need no escaping.

type Products = readonly (Product | null | undefined)[]

export function productAnswer(product: Product | null | undefined): string {
  return `{"data":{"product":${productJson(product)}}}`
}

export function stockAnswer({ id, stock }: Product): string {
  return `{"data":{"updateProductStock":{"product":{"id":"${id}","stock":${stock}}}}}`
}

export function orderAnswer({ id, total, createdAt }: Order, user: User | null | undefined, products: Products): string {
  const buyer = user ? `{"id":"${user.id}","name":${JSON.stringify(user.name)}}` : 'null'
  return `{"data":{"order":{"id":"${id}","total":${total},"createdAt":"${createdAt}","user":${buyer},"products":[${productsJson(products)}]}}}`
}

/** `products` are those of all orders, concatenated. */
export function userAnswer({ id, name }: User, orders: readonly Order[], products: Products): string {
  let nodes = ''
  let next = 0
  for (const { id, total, productIds } of orders) {
    const ordered = products.slice(next, next + productIds.length)
    next += ordered.length
    nodes += `${nodes === '' ? '' : ','}{"id":"${id}","total":${total},"products":[${productsJson(ordered)}]}`
  }
  return `{"data":{"user":{"id":"${id}","name":${JSON.stringify(name)},"orders":{"nodes":[${nodes}]}}}}`
}

function productsJson(products: Products): string {
  let all = ''
  for (const product of products) all += `${all === '' ? '' : ','}${productJson(product)}`
  return all
}

function productJson(product: Product | null | undefined): string {
  if (!product) return 'null'
  const stock = queriesHaveStock ? `,"stock":${product.stock}` : ''
  return `{"id":"${product.id}","name":${JSON.stringify(product.name)},"price":${product.price}${stock}}`
}
