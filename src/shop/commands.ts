import type { TransactionSql } from 'postgres'
import { type CommandContext, runCommand } from './command.js'
import { createOrder, type NewOrder } from './orders/order-commands.js'
import { createProducts, deleteCategory, type NewProduct, updateProductStock } from './products/product-commands.js'
import { createUser, deleteUser, type UserChange, updateUser } from './users/user-commands.js'

export type Commands = ReturnType<typeof createCommands>

/** All write operations of the shop */
export function createCommands(context: CommandContext) {
  return {
    /** Runs a write operation that is implemented in its resolver. */
    run: <T>(work: (transaction: TransactionSql) => Promise<T>) => runCommand(context, work),
    createUser: (user: { email: string; name: string }) => createUser(context, user),
    updateUser: (change: UserChange) => updateUser(context, change),
    deleteUser: (id: string) => deleteUser(context, id),
    createProducts: (products: readonly NewProduct[]) => createProducts(context, products),
    updateProductStock: (productId: string, stock: number) => updateProductStock(context, productId, stock),
    deleteCategory: (category: string) => deleteCategory(context, category),
    createOrder: (order: NewOrder) => createOrder(context, order),
  }
}
