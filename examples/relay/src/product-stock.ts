import { graphql } from 'relay-runtime'

/** One product: useRefetchableFragment() asks for it again by its id. */
export const productStock = graphql`
  fragment productStock_product on Product @refetchable(queryName: "productStockRefetchQuery") {
    name
    price
    stock
  }
`
