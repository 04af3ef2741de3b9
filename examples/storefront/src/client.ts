import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, type TypePolicy } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { relayStylePagination } from '@apollo/client/utilities'
import { OperationTypeNode } from 'graphql'
import { createClient } from 'graphql-ws'
import { decodeJwt } from 'jose'

const { VITE_API_URL: uri = 'http://localhost:4000/graphql', VITE_TOKEN: token } = import.meta.env
const headers = token && { authorization: `Bearer ${token}` }

/** The customer of the token. Without one, the first customer of the demo data: a server without authentication permits it. */
export const userId = (token && decodeJwt(token).sub) || 'user_1'

const http = new HttpLink({ uri, headers })
const socket = createClient({
  url: uri.replace(/^http/, 'ws'),
  connectionParams: headers,
  retryAttempts: Number.POSITIVE_INFINITY,
  // A subscription does not repeat earlier changes, and the server does not confirm its start: query what is shown once more.
  on: { connected: () => setTimeout(() => client.refetchQueries({ include: 'active' }), 500) },
})

const fields: TypePolicy['fields'] = {
  products: relayStylePagination(['category']),
  // A product that the catalogue has loaded is shown at once, before the query of its page is answered.
  product: (known, { args, toReference }) => (known === undefined ? toReference({ __typename: 'Product', id: args?.id }) : known),
}

export const client = new ApolloClient({
  link: ApolloLink.split((of) => of.operationType === OperationTypeNode.SUBSCRIPTION, new GraphQLWsLink(socket), http),
  cache: new InMemoryCache({ typePolicies: { Query: { fields } } }),
  queryDeduplication: false,
})
