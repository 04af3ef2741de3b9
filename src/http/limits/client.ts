import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Viewer } from '../../platform/auth/viewer.js'

/** The key of the budget that a request is charged to: the id of an authenticated customer, otherwise the network of the client */
export function clientOf(request: IncomingMessage, viewer: Viewer, trustedProxies: number): string {
  return viewer.role === 'customer' ? viewer.userId : networkOf(request, trustedProxies)
}

/** The network that a request came from, according to its connection or, behind proxies, to those that are trusted */
export function networkOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const forwarded = trustedProxies > 0 ? forwardedFor(headers['x-forwarded-for'], trustedProxies) : undefined
  return networkOfAddress(forwarded ?? socket.remoteAddress)
}

/**
 * The address that the outermost trusted proxy saw. Each proxy appends an address on the right; everything left of these can be
 * forged.
 */
function forwardedFor(header: string | string[] | undefined, trustedProxies: number): string | undefined {
  const addresses = String(header ?? '').split(',')
  const address = withoutPort(addresses[Math.max(0, addresses.length - trustedProxies)]?.trim() ?? '')
  return isIP(address) === 0 ? undefined : address
}

function withoutPort(address: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address
}

/** An IPv4 address, or the /64 prefix of an IPv6 address: the smallest network that a provider assigns to a customer. */
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
