import process from 'node:process'
import { parseArgs } from 'node:util'
import { idKind } from 'cached-resolvers'
import { readEnvironment } from '../config/environment.js'
import { ConfigError, readConfig } from '../config.js'
import { mintToken } from '../platform/auth/mint-token.js'

const usage = `Usage: npm run token -- --role admin [--expires 1h]
       npm run token -- --role customer --user user_1 [--expires 1h]
Prints a token signed with AUTH_JWT_SECRET, for development. With npm run --silent, prints nothing else.`

const duration = /^[1-9]\d{0,5}[smhd]$/

try {
  const request = readRequest(process.argv.slice(2))
  process.stdout.write(`${request === 'help' ? usage : await mint(request)}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}

function readRequest(args: string[]) {
  const option = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      args,
      options: { role: option, user: option, expires: { ...option, default: '1h' }, help: { type: 'boolean' } },
    })
    if (values.help) return 'help' as const
    const { role, user: userId, expires: expiresIn } = values
    if (role !== 'admin' && role !== 'customer') throw new Error('--role must be admin or customer')
    if (role === 'customer' && (userId === undefined || idKind(userId) !== 'user'))
      throw new Error("--user must be a user's id, such as user_1")
    if (!duration.test(expiresIn)) throw new Error('--expires must be a number with s, m, h or d, such as 30m')
    return { role, userId, expiresIn } as const
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\n${usage}`)
  }
}

function mint(request: Exclude<ReturnType<typeof readRequest>, 'help'>): Promise<string> {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience } = readConfig(readEnvironment())
  if (AUTH_JWKS_URL !== undefined) throw new ConfigError(['AUTH_JWKS_URL is set: tokens are issued by that identity provider'])
  if (secret === undefined) {
    const remedy =
      'put one into the file .env, which the server reads too: echo "AUTH_JWT_SECRET=$(openssl rand -base64 48)" >> .env'
    throw new ConfigError([`AUTH_JWT_SECRET is not set; ${remedy}`])
  }
  return mintToken({ secret, issuer, audience, ...request })
}
