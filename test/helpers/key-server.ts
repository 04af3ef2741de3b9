import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose'

export interface TestKey {
  kid: string
  alg: string
  privateKey: CryptoKey
  jwk: JWK
}

export async function makeKey(kid: string, alg = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

/** An HTTP server with the key set (JWKS) of an identity provider. */
export async function startKeyServer(key: TestKey, port = 0) {
  let served = [key]
  let state: 'healthy' | 'failing' | 'hanging' = 'healthy'
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    if (state === 'failing') response.writeHead(500).end()
    if (state === 'healthy') response.end(JSON.stringify({ keys: served.map(({ jwk }) => jwk) }))
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    requests: () => requests,
    serve: (...keys: TestKey[]) => {
      served = keys
    },
    setState: (next: typeof state) => {
      state = next
    },
    async stop() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
