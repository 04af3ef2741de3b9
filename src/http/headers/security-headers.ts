import type { onSendHookHandler } from 'fastify'
import { sandboxEmbed, sandboxFrame } from '../pages/sandbox.js'

/** Headers of every response. With this policy, a browser that displays a response loads and runs nothing; pages override it. */
export const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/**
 * Sets the Content-Security-Policy of pages: pages may load resources of this server, and explorers also the external resources
 * that they need.
 */
export const pageCsp: onSendHookHandler = (request, reply, _, next) => {
  const isPage = String(reply.getHeader('content-type')).startsWith('text/html')
  if (isPage) reply.header('content-security-policy', policies[request.routeOptions.url ?? ''] ?? policy({}))
  next()
}

type Directives = Readonly<Record<string, readonly string[]>>

function policy(overrides: Directives): string {
  const directives = { ...defaultDirectives, ...overrides }
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(' ')}`)
    .join('; ')
}

const self = "'self'"
const none = ["'none'"]
const defaultDirectives: Directives = {
  'default-src': none,
  'script-src': [self],
  'style-src': [self],
  'img-src': [self, 'data:'],
  'font-src': [self],
  'connect-src': [self],
  'base-uri': none,
  'form-action': none,
  'frame-ancestors': none,
}

/** Both explorers use inline styles. */
const inlineStyles = { 'style-src': [self, "'unsafe-inline'"] }

const policies: Readonly<Record<string, string>> = {
  '/graphiql': policy({ ...inlineStyles, 'font-src': [self, 'data:'], 'worker-src': [self, 'blob:'] }),
  '/graphql': policy({ ...inlineStyles, 'script-src': [self, new URL(sandboxEmbed).origin], 'frame-src': [sandboxFrame] }),
}
