import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { InvalidTokenError, KeysUnavailableError } from './faults.js'
import { administrator, type Viewer } from './viewer.js'

export interface VerifierOptions {
  /** A secret that both sides know, or what finds the public key for a token. Each has algorithms of its own. */
  keys: { state: 'secret'; secret: string } | { state: 'public'; find: JWTVerifyGetKey }
  /** What `iss` and `aud` must be, where they are given */
  issuer: string | undefined
  audience: string | undefined
  isUserId: (text: string) => boolean
  now: () => number
}

export interface VerifiedToken {
  viewer: Viewer
  expiresAtMs: number
}

/** Throws InvalidTokenError, which says what is wrong, and KeysUnavailableError. */
export type VerifyToken = (token: string) => Promise<VerifiedToken>

/** For JSON Web Tokens (RFC 7519) with the claims `exp` and `role`, and `sub` for a customer's user id. */
export function createTokenVerifier({ keys, issuer, audience, isUserId, now }: VerifierOptions): VerifyToken {
  const verify = keys.state === 'secret' ? withSecret(createSecretKey(Buffer.from(keys.secret))) : withPublicKeys(keys.find)
  const claims = { requiredClaims: ['exp'], ...(issuer !== undefined && { issuer }), ...(audience !== undefined && { audience }) }
  return async (token) => {
    try {
      const { payload } = await verify(token, { ...claims, clockTolerance: clockToleranceS, currentDate: new Date(now()) })
      return { viewer: toViewer(payload, isUserId), expiresAtMs: (payload.exp as number) * 1000 }
    } catch (error) {
      if (error instanceof InvalidTokenError || error instanceof KeysUnavailableError) throw error
      // Not its cause: that may hold what the token says.
      throw new InvalidTokenError(describe(error))
    }
  }
}

type Verify = (token: string, options: Parameters<typeof jwtVerify>[2]) => Promise<{ payload: JWTPayload }>

/** A public key must never be taken for a secret, so neither way knows the other's algorithms. */
function withSecret(key: KeyObject): Verify {
  return (token, options) => jwtVerify(token, key, { ...options, algorithms: ['HS256'] })
}

function withPublicKeys(find: JWTVerifyGetKey): Verify {
  return (token, options) => jwtVerify(token, find, { ...options, algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] })
}

function toViewer({ role, sub }: JWTPayload, isUserId: (text: string) => boolean): Viewer {
  if (role === 'admin') return administrator
  if (role !== 'customer') throw new InvalidTokenError("The token's claim role must be customer or admin")
  if (sub === undefined || !isUserId(sub))
    throw new InvalidTokenError("The token's claim sub must be a user's id, such as user_1")
  return { role, userId: sub }
}

function describe(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'The token has expired'
  if (error instanceof errors.JWTClaimValidationFailed) return `The token's claim ${error.claim} is missing or not accepted`
  if (error instanceof errors.JOSEAlgNotAllowed) return 'The token is signed with an algorithm that is not accepted'
  if (error instanceof errors.JWKSNoMatchingKey) return 'The token is signed with a key that is not known'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is wrong'
  return 'The token is not a JSON Web Token that can be verified'
}

/** By so much the clocks of issuer and server may differ. */
const clockToleranceS = 10
