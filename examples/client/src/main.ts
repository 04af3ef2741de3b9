import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client'
import { graphql } from './gql/index.js'

const url = process.argv[2] ?? 'http://127.0.0.1:4000/graphql'

// The cache of Apollo Client keeps every object by its type and id, so an order that is read twice is one object in the frontend.
const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() })

// 1. A read. `data` has the type of the document: try to misspell a field.

const orderDocument = graphql(`
  query Order($id: ID!) {
    order(id: $id) {
      id
      total
      user {
        name
      }
      products {
        name
        price
      }
    }
  }
`)

const { data: read } = await client.query({ query: orderDocument, variables: { id: 'order_1' } })
// null is an answer: there may be no such order, and a product of it may be gone.
const names = read?.order?.products.map((product) => product?.name ?? 'no longer sold')
console.log(`${read?.order?.user?.name} bought ${names?.join(', ')} for ${read?.order?.total}`)

// 2. Pages, as the Relay specification has them: forwards with first and after, backwards with last and before.

const pageDocument = graphql(`
  query ProductPage($first: Int, $after: String, $last: Int, $before: String) {
    products(first: $first, after: $after, last: $last, before: $before) {
      edges {
        cursor
        node {
          id
          name
        }
      }
      pageInfo {
        hasNextPage
        hasPreviousPage
        startCursor
        endCursor
      }
    }
  }
`)

async function page(range: { first: number; after?: string } | { last: number; before: string }) {
  const { data } = await client.query({ query: pageDocument, variables: range })
  if (!data) throw new Error('An answer without data')
  const { edges, pageInfo } = data.products
  return { ids: edges.map(({ node }) => node.id), ...pageInfo }
}

const first = await page({ first: 3 })
console.log(`page 1: ${first.ids.join(' ')}, more follow: ${first.hasNextPage}`)

if (!first.endCursor) throw new Error('The shop is empty')
const second = await page({ first: 3, after: first.endCursor })
console.log(`page 2: ${second.ids.join(' ')}, some stand before: ${second.hasPreviousPage}`)

if (!second.startCursor) throw new Error('There is one page only')
const back = await page({ last: 3, before: second.startCursor })
console.log(`back to page 1: ${back.ids.join(' ')}`)

// 3. A mutation that may be sent twice. The key is made once for what the person asked for (one press of the button), and sent again
// with every retry: whatever got lost on the way, there is one order.

const createOrderDocument = graphql(`
  mutation CreateOrder($input: CreateOrderInput!, $idempotencyKey: String!) {
    createOrder(input: $input, idempotencyKey: $idempotencyKey) {
      order {
        id
        total
      }
      replayed
      userErrors {
        code
        message
        field
      }
    }
  }
`)

async function createOrder(productIds: string[], idempotencyKey: string) {
  const variables = { input: { userId: 'user_1', productIds }, idempotencyKey }
  const { data } = await client.mutate({ mutation: createOrderDocument, variables })
  if (!data) throw new Error('An answer without data')
  return data.createOrder
}

const key = randomUUID()
for (const time of ['first', 'second']) {
  const { order, replayed } = await createOrder([first.ids[0] as string], key)
  console.log(`sent the ${time} time: ${order?.id}, replayed: ${replayed}`)
}

// 4. What the person at the form can mend is data, not an exception.

const { order, userErrors } = await createOrder(['product_0'], randomUUID())
for (const { code, message, field } of userErrors) {
  console.log(`order: ${order?.id ?? 'none'}, ${code} at ${field?.join('.')}: ${message}`)
}

// 5. Everything else is an error with a code to act upon, and an id that leads to the log of the server.

try {
  await page({ first: 1000 })
} catch (error) {
  if (!CombinedGraphQLErrors.is(error)) throw error
  for (const { message, extensions } of error.errors) {
    console.log(`${extensions?.code}: ${message} (request ${extensions?.requestId})`)
  }
}
