import { useMutation } from '@apollo/client/react'
import { type ChangeEvent, type FormEvent, useState } from 'react'
import { userId } from './client'
import { describe, money } from './display'
import { CreateOrderDocument } from './gql/graphql'

export function OrderForm({ id, price, stock }: { id: string; price: number; stock: number }) {
  const [quantity, setQuantity] = useState('1')
  // One key for each order that the customer wants. After a lost response the same key is sent again, so one order is placed.
  const [idempotencyKey, setIdempotencyKey] = useState<string>(() => crypto.randomUUID())
  const [createOrder, { data, error, loading, reset }] = useMutation(CreateOrderDocument)
  const units = Number(quantity)
  const { order, userErrors = [] } = data?.createOrder ?? {}
  const quantityError = userErrors.find(({ field }) => field?.includes('productIds'))
  const otherError = userErrors.find((userError) => userError !== quantityError)

  const change = ({ target }: ChangeEvent<HTMLInputElement>) => {
    setQuantity(target.value)
    setIdempotencyKey(crypto.randomUUID())
    reset()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const product = { __typename: 'Product' as const, id, stock: stock - units }
    const expected = { __typename: 'Order' as const, id: idempotencyKey, total: price * units, products: [product] }
    void createOrder({
      variables: { input: { userId, productIds: Array<string>(units).fill(id) }, idempotencyKey },
      // The new stock is shown before the response arrives. After userErrors or a failure, the previous one is shown again.
      optimisticResponse: (_, { IGNORE }) =>
        units > stock ? IGNORE : { createOrder: { __typename: 'OrderPayload', order: expected, userErrors: [] } },
      onCompleted: () => setIdempotencyKey(crypto.randomUUID()),
    })
  }

  return (
    <form onSubmit={submit}>
      <label htmlFor="quantity">Quantity</label>
      <fieldset className="grid" disabled={stock === 0 && !error}>
        <input
          id="quantity"
          type="number"
          min={1}
          max={100}
          required
          value={quantity}
          readOnly={loading}
          onChange={change}
          aria-invalid={quantityError && true}
          aria-describedby="quantity-error"
        />
        <button type="submit" aria-busy={loading}>
          {error ? 'Try again' : `Order for ${money(price * units)}`}
        </button>
      </fieldset>
      <p id="quantity-error" role="alert">
        {quantityError?.message}
      </p>
      <p role="alert">{error ? `${describe(error)}. Trying again places only one order.` : otherError?.message}</p>
      <p role="status">{order && `Thank you. ${order.id} over ${money(order.total)} is placed.`}</p>
    </form>
  )
}
