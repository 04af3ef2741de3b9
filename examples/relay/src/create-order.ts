import { graphql } from 'relay-runtime'

/** Prepends the new order to the connections with the given ids. */
export const createOrder = graphql`
  mutation createOrderMutation($input: CreateOrderInput!, $key: String!, $connections: [ID!]!) {
    createOrder(input: $input, idempotencyKey: $key) {
      order @prependNode(connections: $connections, edgeTypeName: "OrderEdge") {
        id
        total
        products {
          ...productStock_product
        }
      }
      replayed
      userErrors {
        code
        message
        field
      }
    }
  }
`
