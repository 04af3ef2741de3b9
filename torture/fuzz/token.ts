import { createHmac } from 'node:crypto'

/** A JSON Web Token of an administrator, valid for a day */
export function adminToken(secret: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000)
  const parts = [
    { alg: 'HS256', typ: 'JWT' },
    { role: 'admin', iat: seconds, exp: seconds + 86_400 },
  ]
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
