/** The queried part of the shop's schema, for the servers that are defined by SDL */
export const typeDefs = /* GraphQL */ `
  scalar DateTime

  type Query {
    product(id: ID!): Product
    order(id: ID!): Order
    user(id: ID!): User
  }

  type Mutation {
    updateProductStock(productId: ID!, stock: Int!): ProductPayload!
  }

  type ProductPayload {
    product: Product
  }

  type Product {
    id: ID!
    name: String!
    price: Float!
    stock: Int!
    category: String!
  }

  type User {
    id: ID!
    email: String!
    name: String!
    createdAt: DateTime!
    orders(first: Int! = 20): OrderConnection!
  }

  type OrderConnection {
    nodes: [Order!]!
  }

  type Order {
    id: ID!
    total: Float!
    createdAt: DateTime!
    user: User
    products: [Product]!
  }
`
