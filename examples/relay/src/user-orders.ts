import { graphql } from 'relay-runtime'

/** The orders of a user; usePaginationFragment() reads the first page and loads the next ones through `node(id)`. */
export const userOrders = graphql`
  fragment userOrders_user on User
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" })
  @refetchable(queryName: "userOrdersPageQuery") {
    name
    orders(first: $count, after: $cursor) @connection(key: "userOrders_orders") {
      edges {
        node {
          id
          total
          createdAt
          products {
            name
          }
        }
      }
      totalCount
    }
  }
`

export const userOrdersQuery = graphql`
  query userOrdersQuery($id: ID!) {
    user(id: $id) {
      ...userOrders_user
    }
  }
`
