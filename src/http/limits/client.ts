import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import type { Viewer } from '../../platform/auth/viewer.js'

/** Whose budget a request is charged to: the customer who asks, else the network that it came from. */
export function clientOf(request: IncomingMessage, viewer: Viewer, trustedProxies: number): string {
  return viewer.role === 'customer' ? viewer.userId : networkOf(request, trustedProxies)
}

/** Where a request came from, as far as it can be believed */
export function networkOf({ headers, socket }: IncomingMessage, trustedProxies: number): string {
  const forwarded = trustedProxies > 0 ? forwardedFor(headers['x-forwarded-for'], trustedProxies) : undefined
  return networkOfAddress(forwarded ?? socket.remoteAddress)
}

/** Where the first of the trusted proxies was asked from: each adds what it saw on the right, and the rest is anybody's. */
function forwardedFor(header: string | string[] | undefined, trustedProxies: number): string | undefined {
  const addresses = String(header ?? '').split(',')
  const address = withoutPort(addresses[Math.max(0, addresses.length - trustedProxies)]?.trim() ?? '')
  return isIP(address) === 0 ? undefined : address
}

function withoutPort(address: string): string {
  return /^\[(.*)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1] ?? address
}

/** Of IPv6 the first 64 bits: that is the least that a customer gets. */
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
