import type { Namespace, Page } from 'cached-resolvers'
import type { Order, Product, Totals, User } from '../model.js'

/** The one place for freshness. Soft TTLs are what people may rely on; the grace is for times when a refill fails. */
const minutes = 60_000
const shared = { version: 1, graceMs: 10 * minutes, negativeTtlMs: 1 * minutes }

/** Read on every order */
export const USERS: Namespace<User> = { ...shared, name: 'users', softTtlMs: 10 * minutes }
/** Semi-static */
export const PRODUCTS: Namespace<Product> = { ...shared, name: 'products', softTtlMs: 30 * minutes }
/** Changes often */
export const ORDERS: Namespace<Order> = { ...shared, name: 'orders', softTtlMs: 5 * minutes }
/** Pages of a user's orders, and their number; every order of that user invalidates them */
export const USER_ORDERS: Namespace<Page | number> = { ...shared, name: 'user-orders', softTtlMs: 3 * minutes }
/** Pages of a category or of all products, and their number; every change of membership invalidates them */
export const PRODUCT_LISTS: Namespace<Page | number> = { ...shared, name: 'product-lists', softTtlMs: 3 * minutes }
/** Expensive aggregate */
export const STATS: Namespace<Totals> = { ...shared, name: 'stats', softTtlMs: 5 * minutes }

export const namespaces: readonly Namespace<unknown>[] = [USERS, PRODUCTS, ORDERS, PRODUCT_LISTS, USER_ORDERS, STATS]
