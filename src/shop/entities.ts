import { type Loaders, namespacesOf } from 'cached-resolvers'
import { orders } from './orders/order.js'
import { products } from './products/product.js'
import { totals } from './stats/totals.js'
import { users } from './users/user.js'

/** All that is cached. What a new type needs beside its folder is a word here. */
export const entities = { users, products, orders, totals }

export const namespaces = namespacesOf(entities)

/** Those of a request */
export type ShopLoaders = Loaders<typeof entities>
