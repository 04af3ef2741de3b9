/** Whether a URL can be built of it. */
export function isHost(host: string | undefined): boolean {
  return isPlainHost(host) || (!!host && URL.canParse(`http://${host}/`))
}

/** One that is good without a closer look: a name or an IPv4 address, with or without a port */
export function isPlainHost(host: string | undefined): boolean {
  return host !== undefined && plainHost.test(host)
}

const plainHost = /^(?:[a-z][a-z\d-]{0,62}(?:\.[a-z][a-z\d-]{0,62})*|127\.0\.0\.1)(?::[1-5]?\d{1,4})?$/
