import { useQuery, useSubscription } from '@apollo/client/react'
import { Link, useParams } from 'react-router'
import { money, Pending, Picture, Stock } from './display'
import { ProductChangedDocument, ProductDocument } from './gql/graphql'
import { OrderForm } from './order-form'

export function ProductPage() {
  const { id = '' } = useParams()
  const { data, error, refetch } = useQuery(ProductDocument, { variables: { id }, fetchPolicy: 'cache-and-network' })
  const { data: change } = useSubscription(ProductChangedDocument, { variables: { ids: [id] } })
  const product = change?.productChanged.product === null ? null : data?.product
  if (product === null) return <h1>This product is not sold</h1>
  if (!product) return <Pending error={error} retry={refetch} />
  const { name, price, stock, category } = product
  return (
    <div className="grid">
      <title>{name}</title>
      <Picture name={name} />
      <section>
        {error && <Pending error={error} retry={refetch} />}
        <Link to={`/?category=${category}`}>{category}</Link>
        <h1>{name}</h1>
        <Stock units={stock} />
        <p>{money(price)}</p>
        <OrderForm id={id} price={price} stock={stock} />
      </section>
    </div>
  )
}
