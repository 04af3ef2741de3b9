import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type BuiltServer, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'
import { customerToken, secret } from '../helpers/tokens.js'

/** Runs what npm run token runs, from the build, in a folder. */
function mint(folder: string, env: Record<string, string>, ...args: string[]) {
  return new Promise<{ code: number; out: string; err: string }>((done) => {
    const command = [resolve('dist/commands/token.js'), ...args]
    const { PATH, HOME } = process.env
    execFile(process.execPath, command, { cwd: folder, env: { PATH, HOME, ...env } }, (error, out, err) => {
      done({ code: error ? Number(error.code) : 0, out, err })
    })
  })
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shop-auth-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('npm run token', () => {
  const claimsOf = ({ out, err }: { out: string; err: string }) => {
    expect(err).toBe('')
    return decodeJwt(out.trim())
  }

  test('prints a token for an administrator, valid for an hour, with the secret in .env', async () => {
    await writeFile(join(folder, '.env'), `AUTH_JWT_SECRET=${secret}\nAUTH_ISSUER=me\nAUTH_AUDIENCE=shop\n`)
    const { iat = 0, exp = 0, ...claims } = claimsOf(await mint(folder, {}, '--role', 'admin'))
    expect(claims).toEqual({ role: 'admin', iss: 'me', aud: 'shop' })
    expect(exp - iat).toBe(3600)
  })

  test('prints a token for a customer', async () => {
    const args = ['--role', 'customer', '--user', 'user_7', '--expires', '2d']
    const { iat = 0, exp = 0, ...claims } = claimsOf(await mint(folder, { AUTH_JWT_SECRET: secret }, ...args))
    expect(claims).toEqual({ role: 'customer', sub: 'user_7' })
    expect(exp - iat).toBe(2 * 86_400)
  })

  test.each([
    [[], '--role must be admin or customer'],
    [['--role', 'root'], '--role must be admin or customer'],
    [['--role', 'customer'], "--user must be a user's id, such as user_1"],
    [['--role', 'customer', '--user', '7'], "--user must be a user's id, such as user_1"],
    [['--role', 'admin', '--expires', 'tomorrow'], '--expires must be a number with s, m, h or d, such as 30m'],
    [['--admin'], "Unknown option '--admin'"],
  ])('%j: reports the problem and the usage', async (args, message) => {
    const { code, out, err } = await mint(folder, { AUTH_JWT_SECRET: secret }, ...args)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toContain(message)
    expect(err).toContain('Usage: npm run')
  })

  test('reports what to do without a secret', async () => {
    const without = await mint(folder, {}, '--role', 'admin')
    expect(without).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('AUTH_JWT_SECRET=$(openssl rand -base64 48)'),
    })
    const keys = { AUTH_JWKS_URL: 'https://login.example/jwks.json', AUTH_ISSUER: 'a', AUTH_AUDIENCE: 'b' }
    const withKeySet = await mint(folder, keys, '--role', 'admin')
    expect(withKeySet).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('tokens are issued by that identity provider'),
    })
  })
})

describe('the process', () => {
  let database: TestDatabase
  let started: BuiltServer[]
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())
  beforeEach(() => {
    started = []
  })
  afterEach(async () => {
    for (const { child, exited } of started) {
      child.kill('SIGTERM')
      await exited
    }
  })
  const start = (env: Record<string, string>) => {
    const built = startBuiltServer({ DATABASE_URL: database.url, ...env })
    started.push(built)
    return built
  }

  test('warns if authentication is off', async () => {
    const server = start({})
    await waitUntilReady(server)
    expect(server.output()).toMatch(/"level":40.*NO AUTHENTICATION/)
  })

  test('does not start in production without authentication', async () => {
    const server = start({ NODE_ENV: 'production' })
    expect(await server.exited).toBe(1)
    expect(server.output()).toContain('set AUTH_JWT_SECRET or AUTH_JWKS_URL, or AUTH_OPEN=true')
  })

  test('logs neither tokens nor the secret', async () => {
    const server = start({ NODE_ENV: 'production', AUTH_JWT_SECRET: secret, LOG_LEVEL: 'debug' })
    const url = await waitUntilReady(server)
    const good = await customerToken('user_1')
    const tokens = [good, `${good}x`, 'not-a-token-of-anybody', `${good.slice(0, good.lastIndexOf('.'))}.`]
    const documents = ['{ user(id: "user_1") { id } }', '{ users { totalCount } }', '{ broken', '{ orders(first: 101) { id } }']
    for (const token of tokens) {
      for (const query of documents) {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' }
        await (await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) })).text()
      }
    }
    // Masked errors are logged with all details.
    await database.sql`alter table users rename to hidden`
    const headers = { authorization: `Bearer ${good}`, 'content-type': 'application/json', connection: 'close' }
    const body = JSON.stringify({ query: 'query Failing { node(id: "user_1") { id } other: user(id: "user_1") { id } }' })
    await (await fetch(url, { method: 'POST', headers, body })).text()
    await database.sql`alter table hidden rename to users`
    server.child.kill('SIGTERM')
    await server.exited
    for (const text of [...tokens, good.split('.')[2] ?? '', secret]) expect(server.output()).not.toContain(text)
    expect(server.output()).not.toContain('Bearer')
  })
})
