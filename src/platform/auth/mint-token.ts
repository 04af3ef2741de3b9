import { createSecretKey } from 'node:crypto'
import { SignJWT } from 'jose'

export interface TokenRequest {
  secret: string
  issuer: string | undefined
  audience: string | undefined
  role: 'customer' | 'admin'
  /** Required for a customer */
  userId: string | undefined
  /** A duration such as 30m, 1h or 7d */
  expiresIn: string
}

/** Signs a token that createTokenVerifier() accepts. Throws TypeError for an invalid duration. */
export function mintToken({ secret, issuer, audience, role, userId, expiresIn }: TokenRequest): Promise<string> {
  const token = new SignJWT({ role }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).setIssuedAt().setExpirationTime(expiresIn)
  if (userId !== undefined) token.setSubject(userId)
  if (issuer !== undefined) token.setIssuer(issuer)
  if (audience !== undefined) token.setAudience(audience)
  return token.sign(createSecretKey(Buffer.from(secret)))
}
