/** The part of the shop's schema that is asked for, for the servers that start from SDL. */
export const typeDefs = /* GraphQL */ `
  scalar DateTime

  type Query {
    product(id: ID!): Product
    order(id: ID!): Order
    user(id: ID!): User
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
