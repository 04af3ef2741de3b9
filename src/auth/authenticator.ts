import { LRUCache } from 'lru-cache'
import { InvalidTokenError } from './faults.js'
import type { VerifiedToken, VerifyToken } from './verify-token.js'
import { administrator, anonymous, type Viewer } from './viewer.js'

/** Tells who asks, from the header Authorization. */
export interface Authenticator {
  /** At once: for no header, and for a token that was verified a short time ago; undefined where it has to be verified. */
  recall(authorization: string | undefined): Viewer | undefined
  /** Throws InvalidTokenError and KeysUnavailableError. */
  authenticate(authorization: string): Promise<Viewer>
}

/** Everybody is an administrator, whatever they send. */
export const openToEverybody: Authenticator = {
  recall: () => administrator,
  authenticate: async () => administrator,
}

export interface TokenAuthenticatorOptions {
  verify: VerifyToken
  maxRemembered: number
  /** A token is verified again after that, since its key may have been withdrawn. */
  rememberMs: number
  now: () => number
}

/** Bearer tokens (RFC 6750), which are verified once and then remembered, but never beyond their expiry. */
export class TokenAuthenticator implements Authenticator {
  private readonly remembered: LRUCache<string, VerifiedToken>

  constructor(private readonly options: TokenAuthenticatorOptions) {
    const { maxRemembered } = options
    this.remembered = new LRUCache({
      max: maxRemembered,
      maxSize: maxRemembered * averageHeaderLength,
      sizeCalculation: (_, authorization) => authorization.length,
    })
  }

  recall(authorization: string | undefined): Viewer | undefined {
    if (authorization === undefined) return anonymous
    const its = this.remembered.get(authorization)
    return its !== undefined && this.options.now() < its.expiresAtMs ? its.viewer : undefined
  }

  async authenticate(authorization: string): Promise<Viewer> {
    const known = this.recall(authorization)
    if (known) return known
    const { verify, rememberMs, now } = this.options
    const { viewer, expiresAtMs } = await verify(tokenOf(authorization))
    this.remembered.set(authorization, { viewer, expiresAtMs: Math.min(expiresAtMs, now() + rememberMs) })
    return viewer
  }
}

function tokenOf(authorization: string): string {
  const [, token] = bearer.exec(authorization) ?? []
  if (token === undefined) throw new InvalidTokenError('The header Authorization must be: Bearer, a space, and a token')
  return token
}

const bearer = /^bearer +([\w.~+/=-]+)$/i

/** Keeps the memory that is held for tokens within bounds, however long they are. */
const averageHeaderLength = 1_024
