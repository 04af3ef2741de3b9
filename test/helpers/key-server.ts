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

/** An identity provider's key set, over HTTP. */
export async function startKeyServer(key: TestKey, port = 0) {
  let served = [key]
  let mood: 'well' | 'ill' | 'hanging' = 'well'
  let requests = 0
  const server = createServer((_, response) => {
    requests += 1
    if (mood === 'ill') response.writeHead(500).end()
    if (mood === 'well') response.end(JSON.stringify({ keys: served.map(({ jwk }) => jwk) }))
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    requests: () => requests,
    serve: (...its: TestKey[]) => {
      served = its
    },
    become: (its: typeof mood) => {
      mood = its
    },
    async stop() {
      if (!server.listening) return
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
