import { CombinedGraphQLErrors, ServerError } from '@apollo/client'

/** Says what to start or to set if the server cannot be reached or wants a token. Returns undefined for any other error. */
export function explainFailure(error: unknown, url: string): string | undefined {
  if (wantsToken(error)) {
    return `${url} accepts only requests with a valid token. Set SHOP_TOKEN, in the folder of the server with:
  export SHOP_TOKEN=$(npm run --silent token -- --role admin)`
  }
  if (ServerError.is(error))
    return `${url} returned status ${error.statusCode}. Set SHOP_URL to the address of the shop, which ends in /graphql`
  // fetch() throws a TypeError if it gets no response.
  if (error instanceof TypeError) {
    return `No server answers at ${url} (${reasonOf(error)}). Start it with npm start in the folder of the server, or set SHOP_URL to its address:
  export SHOP_URL=http://127.0.0.1:4000/graphql`
  }
  return undefined
}

/** The status 401 is a ServerError or not, depending on the content type of the response. */
function wantsToken(error: unknown): boolean {
  if (CombinedGraphQLErrors.is(error)) return error.errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED')
  return ServerError.is(error) && error.statusCode === 401
}

function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? cause.message : message
}
