/**
 * Returns the value of the header WWW-Authenticate for a 401 response (RFC 6750). `description` is the problem with the token;
 * undefined if the request had no token.
 */
export function challenge(description?: string): string {
  const realm = 'Bearer realm="graphql"'
  return description === undefined ? realm : `${realm}, error="invalid_token", error_description="${description}"`
}
