import { LRUCache } from 'lru-cache'
import { InvalidTokenError } from './faults.js'
import type { VerifiedToken, VerifyToken } from './verify-token.js'
import { administrator, anonymous, type Viewer } from './viewer.js'

/** Tells who asks, from the header Authorization. */
export interface Authenticator {
  /** At once: for no header, and for a token that was verified a short time ago; undefined where it has to be verified. */
  recall(authorization: string | undefined): Viewer | undefined
  /** Throws InvalidTokenError and KeysUnavailableError. */
  authenticate(authorization: string | undefined): Promise<VerifiedToken>
}

/** Everybody is an administrator, whatever they send. */
export const openToEverybody: Authenticator = {
  recall: () => administrator,
  authenticate: async () => ({ viewer: administrator, expiresAtMs: Number.POSITIVE_INFINITY }),
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
  private readonly remembered: LRUCache<string, VerifiedToken & { untilMs: number }>

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
    return this.find(authorization)?.viewer
  }

  async authenticate(authorization: string | undefined): Promise<VerifiedToken> {
    if (authorization === undefined) return { viewer: anonymous, expiresAtMs: Number.POSITIVE_INFINITY }
    const known = this.find(authorization)
    if (known) return known
    const { verify, rememberMs, now } = this.options
    const verified = await verify(tokenOf(authorization))
    this.remembered.set(authorization, { ...verified, untilMs: Math.min(verified.expiresAtMs, now() + rememberMs) })
    return verified
  }

  private find(authorization: string): VerifiedToken | undefined {
    const its = this.remembered.get(authorization)
    return its !== undefined && this.options.now() < its.untilMs ? its : undefined
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
