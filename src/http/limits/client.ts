import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Viewer } from '../../platform/auth/viewer.js'

/**
 * Returns the key of the budget that a request is charged to: the id of an authenticated customer, otherwise the client's network
 */
export function clientOf(request: IncomingMessage, viewer: Viewer, trustedProxies: number): string {
  return viewer.role === 'customer' ? viewer.userId : networkOf(request, trustedProxies)
}

/**
 * Returns the network that a request came from: as reported by the trusted proxies if there are any, otherwise of the connection.
 */
export function networkOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const forwarded = trustedProxies > 0 ? forwardedFor(headers['x-forwarded-for'], trustedProxies) : undefined
  return networkOfAddress(forwarded ?? socket.remoteAddress)
}

/** Returns the key of a network's budget for invalid tokens. */
export function invalidTokenBudgetKey(network: string): string {
  return `tokens:${network}`
}

/**
 * Returns the address from which the outermost trusted proxy received the request. Each proxy appends an address on the right;
 * clients can forge all addresses to the left of those that trusted proxies appended.
 */
function forwardedFor(header: string | string[] | undefined, trustedProxies: number): string | undefined {
  const addresses = String(header ?? '').split(',')
  const address = withoutPort(addresses[Math.max(0, addresses.length - trustedProxies)]?.trim() ?? '')
  return isIP(address) === 0 ? undefined : address
}

function withoutPort(address: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address
}

/** Returns an IPv4 address unchanged, and for IPv6 the /64 prefix: the smallest network that providers assign to a customer. */
export function networkOfAddress(address = 'unknown'): string {
  if (!address.includes(':')) return address
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  return mapped ?? `${firstGroups(address).join(':')}::/64`
}

function firstGroups(address: string): string[] {
  const [start = [], end] = address.split('::').map((part) => part.split(':').filter(Boolean))
  const zeros = end ? Array<string>(Math.max(0, 8 - start.length - end.length)).fill('0') : []
  const groups = [...start, ...zeros, ...(end ?? [])]
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16))
}
