/** The header WWW-Authenticate of a 401 (RFC 6750); `fault` says what is wrong with the token that was sent, if one was. */
export function challenge(fault?: string): string {
  const realm = 'Bearer realm="graphql"'
  return fault === undefined ? realm : `${realm}, error="invalid_token", error_description="${fault}"`
}
