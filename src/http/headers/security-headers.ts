import type { onSendHookHandler } from 'fastify'
import { sandboxEmbed, sandboxFrame } from '../pages/sandbox.js'

/** On every answer. What is no page may do nothing at all where a browser is made to show it. */
export const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'strict-origin-when-cross-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const

/** Pages may use what this server sends, and what their explorer needs beyond that. */
export const letPagesWork: onSendHookHandler = (request, reply, _, next) => {
  const isPage = String(reply.getHeader('content-type')).startsWith('text/html')
  if (isPage) reply.header('content-security-policy', policies[request.routeOptions.url ?? ''] ?? policy({}))
  next()
}

type Directives = Readonly<Record<string, readonly string[]>>

function policy(further: Directives): string {
  const directives = { ...ours, ...further }
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(' ')}`)
    .join('; ')
}

const self = "'self'"
const none = ["'none'"]
const ours: Directives = {
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

/** Both explorers write styles into the page. */
const inlineStyles = { 'style-src': [self, "'unsafe-inline'"] }

const policies: Readonly<Record<string, string>> = {
  '/graphiql': policy({ ...inlineStyles, 'font-src': [self, 'data:'], 'worker-src': [self, 'blob:'] }),
  '/graphql': policy({ ...inlineStyles, 'script-src': [self, new URL(sandboxEmbed).origin], 'frame-src': [sandboxFrame] }),
}
