import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client'
import { explainFailure } from './explain-failure.js'
import { graphql } from './gql/index.js'

const { SHOP_URL: url = 'http://127.0.0.1:4000/graphql', SHOP_TOKEN: token } = process.env
const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {}

// Apollo Client caches objects by type and id, so an order that is read twice is one object in the frontend.
const client = new ApolloClient({ link: new HttpLink({ uri: url, headers }), cache: new InMemoryCache() })

// 1. A query. `data` is typed by the document: a misspelt field is a type error.

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

const { data: read } = await client.query({ query: orderDocument, variables: { id: 'order_1' } }).catch((error) => {
  const explanation = explainFailure(error, url)
  if (explanation === undefined) throw error
  console.error(explanation)
  process.exit(1)
})
// null is a regular result: the order may not exist, and one of its products may have been deleted.
const names = read?.order?.products.map((product) => product?.name ?? 'no longer sold')
console.log(`${read?.order?.user?.name} bought ${names?.join(', ')} for ${read?.order?.total}`)

// 2. Pagination as in the Relay specification: forwards with first and after, backwards with last and before.

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
  if (!data) throw new Error('The response has no data')
  const { edges, pageInfo } = data.products
  return { ids: edges.map(({ node }) => node.id), ...pageInfo }
}

const first = await page({ first: 3 })
console.log(`page 1: ${first.ids.join(' ')}, next page: ${first.hasNextPage}`)

if (!first.endCursor) throw new Error('The shop has no products')
const second = await page({ first: 3, after: first.endCursor })
console.log(`page 2: ${second.ids.join(' ')}, previous page: ${second.hasPreviousPage}`)

if (!second.startCursor) throw new Error('The shop has only one page of products')
const back = await page({ last: 3, before: second.startCursor })
console.log(`back to page 1: ${back.ids.join(' ')}`)

// 3. A mutation that is safe to retry. The client generates one idempotency key per user action (one click) and sends the same
// key with every retry: even if a response is lost, only one order is created.

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
  if (!data) throw new Error('The response has no data')
  return data.createOrder
}

const key = randomUUID()
for (const time of ['first', 'second']) {
  const { order, replayed } = await createOrder([first.ids[0] as string], key)
  console.log(`sent the ${time} time: ${order?.id}, replayed: ${replayed}`)
}

// 4. Errors that the user can correct are data, not exceptions.

const { order, userErrors } = await createOrder(['product_0'], randomUUID())
for (const { code, message, field } of userErrors) {
  console.log(`order: ${order?.id ?? 'none'}, ${code} at ${field?.join('.')}: ${message}`)
}

// 5. All other errors have a code to handle, and a request id to find them in the log of the server.

try {
  await page({ first: 1000 })
} catch (error) {
  if (!CombinedGraphQLErrors.is(error)) throw error
  for (const { message, extensions } of error.errors) {
    console.log(`${extensions?.code}: ${message} (request ${extensions?.requestId})`)
  }
}
