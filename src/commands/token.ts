import process from 'node:process'
import { parseArgs } from 'node:util'
import { idKind } from 'cached-resolvers'
import { readEnvironment } from '../config/environment.js'
import { ConfigError, readConfig } from '../config.js'
import { mintToken } from '../platform/auth/mint-token.js'

const usage = `Usage: npm run --silent token -- --role admin [--expires 1h]
       npm run --silent token -- --role customer --user user_1 [--expires 1h]
Writes a token that is signed with AUTH_JWT_SECRET, for development.`

const span = /^[1-9]\d{0,5}[smhd]$/

try {
  process.stdout.write(`${await mint(readWish(process.argv.slice(2)))}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

function readWish(args: string[]) {
  const option = { type: 'string' } as const
  try {
    const { values } = parseArgs({ args, options: { role: option, user: option, expires: { ...option, default: '1h' } } })
    const { role, user: userId, expires: expiresIn } = values
    if (role !== 'admin' && role !== 'customer') throw new Error('--role must be admin or customer')
    if (role === 'customer' && (userId === undefined || idKind(userId) !== 'user'))
      throw new Error("--user must be a user's id, such as user_1")
    if (!span.test(expiresIn)) throw new Error('--expires must be a number with s, m, h or d, such as 30m')
    return { role, userId, expiresIn } as const
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${usage}`)
  }
}

function mint(wish: ReturnType<typeof readWish>): Promise<string> {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = readConfig(readEnvironment())
  if (AUTH_JWKS_URL !== undefined)
    throw new ConfigError(['AUTH_JWKS_URL is set: tokens come from the identity provider whose keys these are'])
  if (secret === undefined) {
    const remedy =
      'put one into the file .env, which the server reads too: echo "AUTH_JWT_SECRET=$(openssl rand -base64 48)" >> .env'
    throw new ConfigError([`AUTH_JWT_SECRET is not set; ${remedy}`])
  }
  return mintToken({ secret, issuer, audience, ...wish })
}
