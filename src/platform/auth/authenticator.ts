import { LRUCache } from 'lru-cache'
import { InvalidTokenError } from './errors.js'
import type { VerifiedToken, VerifyToken } from './verify-token.js'
import { administrator, anonymous, type Viewer } from './viewer.js'

/** Identifies the client of a request by the header Authorization. */
export interface Authenticator {
  /** Returns the client for a missing header or a recently verified token; undefined if the token must be verified first. */
  findCached(authorization: string | undefined): Viewer | undefined
  /** Returns the client. Throws InvalidTokenError and KeysUnavailableError. */
  authenticate(authorization: string | undefined): Promise<VerifiedToken>
}

/** Treats every client as an administrator, whatever it sends. */
export const noAuthentication: Authenticator = {
  findCached: () => administrator,
  authenticate: async () => ({ viewer: administrator, expiresAtMs: Number.POSITIVE_INFINITY }),
}

export interface TokenAuthenticatorOptions {
  verify: VerifyToken
  maxCached: number
  /** How long a verified token is cached. Then the token is verified again, since its key may have been withdrawn. */
  cacheMs: number
  now: () => number
}

/** Authenticates bearer tokens (RFC 6750). Verified tokens are cached, never beyond their expiry. */
export class TokenAuthenticator implements Authenticator {
  private readonly verified: LRUCache<string, VerifiedToken & { cachedUntilMs: number }>

  constructor(private readonly options: TokenAuthenticatorOptions) {
    const { maxCached } = options
    this.verified = new LRUCache({
      max: maxCached,
      maxSize: maxCached * maxAverageHeaderLength,
      sizeCalculation: (_, authorization) => authorization.length,
    })
  }

  findCached(authorization: string | undefined): Viewer | undefined {
    if (authorization === undefined) return anonymous
    return this.find(authorization)?.viewer
  }

  async authenticate(authorization: string | undefined): Promise<VerifiedToken> {
    if (authorization === undefined) return { viewer: anonymous, expiresAtMs: Number.POSITIVE_INFINITY }
    const cached = this.find(authorization)
    if (cached) return cached
    const { verify, cacheMs, now } = this.options
    const verified = await verify(tokenOf(authorization))
    this.verified.set(authorization, { ...verified, cachedUntilMs: Math.min(verified.expiresAtMs, now() + cacheMs) })
    return verified
  }

  private find(authorization: string): VerifiedToken | undefined {
    const token = this.verified.get(authorization)
    return token !== undefined && this.options.now() < token.cachedUntilMs ? token : undefined
  }
}

function tokenOf(authorization: string): string {
  const [, token] = bearer.exec(authorization) ?? []
  if (token === undefined) throw new InvalidTokenError('The header Authorization must be "Bearer <token>"')
  return token
}

const bearer = /^bearer +([\w.~+/=-]+)$/i

/** Limits the memory of the cached tokens, whatever the length of each token. */
const maxAverageHeaderLength = 1_024
