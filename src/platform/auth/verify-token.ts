import { createSecretKey, type KeyObject } from 'node:crypto'
import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { InvalidTokenError, KeysUnavailableError } from './errors.js'
import { administrator, type Viewer } from './viewer.js'

export interface VerifierOptions {
  /** A shared secret, or a function that finds the public key for a token. Each of the two accepts different algorithms. */
  keys: { state: 'secret'; secret: string } | { state: 'public'; find: JWTVerifyGetKey }
  /** Required values of `iss` and `aud`; undefined for no requirement */
  issuer: string | undefined
  audience: string | undefined
  isUserId: (text: string) => boolean
  now: () => number
}

export interface VerifiedToken {
  viewer: Viewer
  expiresAtMs: number
}

/** Throws InvalidTokenError, whose message names the problem, or KeysUnavailableError. */
export type VerifyToken = (token: string) => Promise<VerifiedToken>

/** Verifies JSON Web Tokens (RFC 7519) with the claims `exp` and `role`, and for a customer `sub`, the user id. */
export function createTokenVerifier({ keys, issuer, audience, isUserId, now }: VerifierOptions): VerifyToken {
  const verify = keys.state === 'secret' ? withSecret(createSecretKey(Buffer.from(keys.secret))) : withPublicKeys(keys.find)
  const claims = { requiredClaims: ['exp'], ...(issuer !== undefined && { issuer }), ...(audience !== undefined && { audience }) }
  return async (token) => {
    try {
      const { payload } = await verify(token, { ...claims, clockTolerance: clockToleranceS, currentDate: new Date(now()) })
      return { viewer: toViewer(payload, isUserId), expiresAtMs: (payload.exp as number) * 1000 }
    } catch (error) {
      if (error instanceof InvalidTokenError || error instanceof KeysUnavailableError) throw error
      // The error has no cause, because the cause may contain parts of the token.
      throw new InvalidTokenError(describe(error))
    }
  }
}

type Verify = (token: string, options: Parameters<typeof jwtVerify>[2]) => Promise<{ payload: JWTPayload }>

/** A public key must never be accepted as a shared secret, so the two verifiers have no algorithm in common. */
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
  if (error instanceof errors.JWKSNoMatchingKey) return 'The token is signed with an unknown key'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the token is wrong'
  return 'The token is not a JSON Web Token that can be verified'
}

/** Maximum difference between the clocks of issuer and server */
const clockToleranceS = 10
