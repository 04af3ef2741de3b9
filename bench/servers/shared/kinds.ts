import type { Kind } from './cache-aside.js'
import * as rows from './rows.js'

export const PRODUCT: Kind<rows.Product> = { name: 'product', fetch: rows.products }
export const USER: Kind<rows.User> = { name: 'user', fetch: rows.users }
export const ORDER: Kind<rows.Order> = { name: 'order', fetch: rows.orders }

/** The ids of a user's newest orders, by user id */
export const userOrders = (first: number): Kind<string[]> => ({ name: `first-${first}-orders`, fetch: rows.userOrderIds(first) })
