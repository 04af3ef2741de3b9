import type { Order, Product, User } from '../shared/rows.js'

// The fragments of the three answers that Redis stores, to be read and concatenated

export const productPiece = ({ id, name, price }: Product) => JSON.stringify({ id, name, price })

/** Without its closing brace, since an answer may append fields */
export const userPiece = ({ id, name }: User) => JSON.stringify({ id, name }).slice(0, -1)

/** Lines: the fields, the creation time, the user, the products. */
export const orderPiece = ({ id, total, createdAt, userId, productIds }: Order) =>
  [JSON.stringify({ id, total }).slice(0, -1), `,"createdAt":"${createdAt}"`, userId, ...productIds].join('\n')

export const userOrdersPiece = (orderIds: readonly string[]) => orderIds.join('\n')

/** The key of a user's newest 20 orders; all other keys are the ids themselves. */
export const userOrdersKey = (userId: string) => `orders:${userId}`

export interface OrderParts {
  fields: string
  createdAt: string
  userId: string
  productIds: string[]
}

export function splitOrder(piece: string): OrderParts {
  const [fields, createdAt, userId, ...productIds] = piece.split('\n') as [string, string, string, ...string[]]
  return { fields, createdAt, userId, productIds }
}

export const splitIds = (piece: string) => (piece === '' ? [] : piece.split('\n'))
