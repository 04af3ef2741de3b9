import { graphql } from 'relay-runtime'

/** The new order goes to the head of the lists whose connection ids are given. */
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
