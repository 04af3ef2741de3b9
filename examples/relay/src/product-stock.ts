import { graphql } from 'relay-runtime'

/** One product; useRefetchableFragment() refetches it by id. */
export const productStock = graphql`
  fragment productStock_product on Product @refetchable(queryName: "productStockRefetchQuery") {
    name
    price
    stock
  }
`
