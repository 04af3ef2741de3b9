import { idKind } from 'cached-resolvers'
import type { Logger } from 'pino'
import type { Config } from '../config.js'
import { type Authenticator, noAuthentication, TokenAuthenticator } from '../platform/auth/authenticator.js'
import { RemoteKeys } from '../platform/auth/remote-keys.js'
import { createTokenVerifier } from '../platform/auth/verify-token.js'

export function createAuthenticator(config: Config, logger: Logger): Authenticator {
  const keys = tokenKeys(config, logger)
  if (!keys) {
    logger.warn(
      'NO AUTHENTICATION: every client of this server is an administrator. Set AUTH_JWT_SECRET or AUTH_JWKS_URL to change that.',
    )
    return noAuthentication
  }
  const { AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = config
  const isUserId = (text: string) => idKind(text) === 'user'
  const verify = createTokenVerifier({ keys, issuer, audience, isUserId, now: Date.now })
  return new TokenAuthenticator({ verify, maxCached: 10_000, cacheMs: 60_000, now: Date.now })
}

/** Whether clients authenticate with tokens. If not, every client is an administrator. */
export function hasAuthentication({ AUTH_JWT_SECRET, AUTH_JWKS_URL }: Config): boolean {
  return AUTH_JWT_SECRET !== undefined || AUTH_JWKS_URL !== undefined
}

function tokenKeys({ AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: url }: Config, logger: Logger) {
  if (secret !== undefined) return { state: 'secret' as const, secret }
  if (url === undefined) return null
  const log = (message: string) => logger.warn(message)
  const limits = { timeoutMs: 3_000, cooldownMs: 30_000, maxAgeMs: 300_000, retryMs: 30_000 }
  return { state: 'public' as const, find: new RemoteKeys({ url, ...limits, now: Date.now, log }).find }
}
