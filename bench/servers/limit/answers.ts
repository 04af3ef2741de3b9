import type { Order, Product, User } from '../shared/rows.js'

// Concatenated by hand: ids, numbers and instants need no escaping.

type Products = readonly (Product | null | undefined)[]

export function productAnswer(its: Product | null | undefined): string {
  return `{"data":{"product":${product(its)}}}`
}

export function orderAnswer({ id, total, createdAt }: Order, user: User | null | undefined, products: Products): string {
  const by = user ? `{"id":"${user.id}","name":${JSON.stringify(user.name)}}` : 'null'
  return `{"data":{"order":{"id":"${id}","total":${total},"createdAt":"${createdAt}","user":${by},"products":[${join(products)}]}}}`
}

/** `products` are those of all orders, one after the other. */
export function userAnswer({ id, name }: User, orders: readonly Order[], products: Products): string {
  let nodes = ''
  let next = 0
  for (const { id, total, productIds } of orders) {
    const its = products.slice(next, next + productIds.length)
    next += its.length
    nodes += `${nodes === '' ? '' : ','}{"id":"${id}","total":${total},"products":[${join(its)}]}`
  }
  return `{"data":{"user":{"id":"${id}","name":${JSON.stringify(name)},"orders":{"nodes":[${nodes}]}}}}`
}

function join(products: Products): string {
  let all = ''
  for (const its of products) all += `${all === '' ? '' : ','}${product(its)}`
  return all
}

function product(its: Product | null | undefined): string {
  return its ? `{"id":"${its.id}","name":${JSON.stringify(its.name)},"price":${its.price}}` : 'null'
}
