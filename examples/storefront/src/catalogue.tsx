import { useQuery } from '@apollo/client/react'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { money, Pending, Picture, Stock } from './display'
import { CatalogueDocument } from './gql/graphql'

export function Catalogue() {
  const category = useSearchParams()[0].get('category')
  const { data, error, loading, refetch, fetchMore } = useQuery(CatalogueDocument, { variables: { category } })
  const [moreError, setMoreError] = useState<Error>()
  if (!data) return <Pending error={error} retry={refetch} />
  const { edges, pageInfo, totalCount } = data.products
  const loadMore = () => fetchMore({ variables: { after: pageInfo.endCursor } }).then(() => setMoreError(undefined), setMoreError)
  return (
    <>
      <title>{category ?? 'All products'}</title>
      <h1>{category ?? 'All products'}</h1>
      <div className="products">
        {edges.map(({ node: { id, name, price, stock } }) => (
          <Link key={id} to={`/products/${id}`}>
            <Picture name={name} />
            <strong>{name}</strong>
            {money(price)}
            <Stock units={stock} />
          </Link>
        ))}
      </div>
      <p role="status">{totalCount > 0 ? `${edges.length} of ${totalCount}` : 'Nothing is sold in this category.'}</p>
      {moreError && <Pending error={moreError} retry={loadMore} />}
      {pageInfo.hasNextPage && !moreError && (
        <button type="button" onClick={loadMore} aria-busy={loading}>
          Load more
        </button>
      )}
    </>
  )
}
