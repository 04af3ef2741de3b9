/** What Apollo Sandbox opens with; it runs as it is on the demo data. */
export const starterDocument = `# An order with its buyer and its products.
# Cold, that is three SQL statements; run it again and it is two MGETs and no SQL, or nothing at all.
query Order($id: ID!) {
  order(id: $id) {
    id
    total
    createdAt
    user {
      id
      name
    }
    products {
      id
      name
      price
      stock
    }
  }
}
`

export const starterVariables = { id: 'order_1' }
