/** The header WWW-Authenticate of a 401 (RFC 6750). `description` is the problem with the token; undefined if none was sent. */
export function challenge(description?: string): string {
  const realm = 'Bearer realm="graphql"'
  return description === undefined ? realm : `${realm}, error="invalid_token", error_description="${description}"`
}
