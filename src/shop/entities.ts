import { namespacesOf } from 'cached-resolvers'
import { orders } from './orders/order.js'
import { OrderResolver } from './orders/order-resolver.js'
import { products } from './products/product.js'
import { ProductResolver } from './products/product-resolver.js'
import { totals } from './stats/totals.js'
import { users } from './users/user.js'
import { UserResolver } from './users/user-resolver.js'

/** All cached types. To add a type, create its folder and add a line here. */
const types = {
  users: { entity: users, resolver: UserResolver },
  products: { entity: products, resolver: ProductResolver },
  orders: { entity: orders, resolver: OrderResolver },
  // StatsResolver needs the namespaces of all types, so graphql/schema.ts adds it instead.
  totals: { entity: totals },
}

type EntitiesOf<T> = { readonly [Name in keyof T]: T[Name] extends { entity: infer E } ? E : never }

export const entities = Object.fromEntries(
  Object.entries(types).map(([name, { entity }]) => [name, entity]),
) as unknown as EntitiesOf<typeof types>

export const resolvers = Object.values(types).flatMap((type) => ('resolver' in type ? [type.resolver] : []))

export const namespaces = namespacesOf(entities)
