import { createHash } from 'node:crypto'
import { pickWeighted, Random } from '../random.js'
import { type Attempt, httpRequest, json, preflight } from './attempt.js'
import { corrupt, deepDocument, documents, variableNames } from './documents.js'
import { badAuthorizations, contentTypes, hostileHeaders, hosts } from './headers.js'
import type { HotQuery } from './hot.js'
import { corruptedBytes, invalidFraming, randomConnection, validChunks } from './raw-requests.js'
import { refusedMutation, validMutation } from './refused-mutations.js'
import { nastyNumbers, nastyString, nastyTexts, nastyValue, randomBytes, randomOffset } from './values.js'

export interface AttemptInputs {
  hot: readonly HotQuery[]
  /** A token of an administrator, who has access to all fields */
  token: string
}

type RawAttempt = Omit<Attempt, 'kind'>

/** The request with this number. Depends only on seed, number and schema. */
export function attemptOf(seed: number, number: number, inputs: AttemptInputs): Attempt {
  const random = new Random(seed, `request ${number}`)
  const kind = pickWeighted(random, weights)
  return { kind, ...kinds[kind](random, inputs) }
}

const weights = {
  'a hot query': 20,
  'pipelined hot queries': 3,
  'a hot query between hostile headers': 8,
  'a corrupted document': 14,
  'wrong variables': 10,
  'a deep document': 2,
  'deep JSON': 2,
  'random bytes for a body': 3,
  'corrupted JSON': 6,
  'unusual parts of a request': 5,
  'keys of prototypes': 3,
  'another content type': 5,
  'unusual text': 5,
  'a refused mutation': 5,
  'a mutation by a wrong method': 2,
  'a persisted query': 5,
  'another Host': 3,
  'duplicate headers': 3,
  'another version of HTTP': 2,
  'another method': 3,
  'an unusual URL': 6,
  'a query in the URL': 5,
  'a bad token': 4,
  'a protocol to switch to': 1,
  'random bytes for a connection': 3,
  'corrupted bytes of a request': 4,
  'invalid framing': 5,
  chunks: 1,
}

const kinds: Record<keyof typeof weights, (random: Random, inputs: AttemptInputs) => RawAttempt> = {
  'a hot query'(random, { hot, token }) {
    const { body, expected } = random.pick(hot)
    return { bytes: httpRequest({ headers: [json, bearer(token)], body }), answers: 1, expected: [expected] }
  },
  'pipelined hot queries'(random, { hot, token }) {
    const queries = Array.from({ length: random.between(2, 8) }, () => random.pick(hot))
    const last = queries.length - 1
    const requests = queries.map(({ body }, index) => httpRequest({ headers: [json, bearer(token)], body, keep: index < last }))
    return { bytes: Buffer.concat(requests), answers: queries.length, expected: queries.map(({ expected }) => expected) }
  },
  'a hot query between hostile headers'(random, { hot, token }) {
    const { body } = random.pick(hot)
    return singleRequest({ headers: [json, bearer(token), ...hostileHeaders(random, token)], body })
  },
  'a corrupted document'(random, { token }) {
    return postRequest(
      token,
      `{"query":${JSON.stringify(corrupt(random, random.pick(documents)))},"variables":{"id":"order_1","first":2,"with":true}}`,
    )
  },
  'wrong variables'(random, { token }) {
    const variables = variableNames.map((name) => `"${name}":${nastyValue(random)}`)
    return postRequest(token, `{"query":${JSON.stringify(random.pick(documents))},"variables":{${variables}}}`)
  },
  'a deep document': (random, { token }) => postRequest(token, JSON.stringify({ query: deepDocument(random) })),
  'deep JSON'(random, { token }) {
    const depth = random.pick([100, 5_000, 100_000])
    const [open, close] = random.pick([
      ['[', ']'],
      ['{"a":', '}'],
    ] as const)
    const deep = open.repeat(depth) + (random.chance(0.5) ? `1${close.repeat(depth)}` : '')
    return postRequest(token, random.chance(0.5) ? deep : `{"query":"query($v: [Int]) { __typename }","variables":{"v":${deep}}}`)
  },
  'random bytes for a body': (random, { token }) => postRequest(token, randomBytes(random, random.between(0, 300))),
  'corrupted JSON'(random, { hot, token }) {
    const { body } = random.pick(hot)
    const at = randomOffset(random, body)
    const piece = random.pick(['', ',', '}', '\0', '\ufeff', '"', '\\u', '//', '{"', random.pick(nastyNumbers)])
    return postRequest(token, body.slice(0, at) + piece + (random.chance(0.5) ? '' : body.slice(at + random.between(0, 3))))
  },
  'unusual parts of a request'(random, { token }) {
    const parts = ['query', 'variables', 'operationName', 'extensions', 'documentId', 'id'].filter(() => random.chance(0.6))
    const value = (name: string) =>
      name === 'query' && random.chance(0.6) ? JSON.stringify(random.pick(documents)) : nastyValue(random)
    const object = `{${parts.map((name) => `"${name}":${value(name)}`)}}`
    return postRequest(token, random.pick([object, object, object, `[${object},${object}]`, nastyValue(random)]))
  },
  'keys of prototypes'(random, { token }) {
    const key = random.pick(['__proto__', 'constructor', '\\u005f_proto__', 'prototype', 'toString', '__defineGetter__'])
    const value = random.pick([
      '{"query":"{ __typename }"}',
      '{"prototype":{"polluted":true}}',
      'null',
      '[]',
      '{"polluted":true}',
    ])
    const query = JSON.stringify(random.pick(documents))
    return postRequest(
      token,
      random.pick([
        `{"query":${query},"${key}":${value}}`,
        `{"query":${query},"variables":{"id":"product_1","${key}":${value}}}`,
        `{"query":${query},"variables":{"id":${value},"ids":["${key}"]},"extensions":{"${key}":${value}}}`,
        `{"query":"{ ${key.replace('\\u005f', '_')} }","operationName":"${key}"}`,
      ]),
    )
  },
  'another content type'(random, { hot, token }) {
    const { body } = random.pick(hot)
    const extraHeaders = random.chance(0.4) ? [preflight] : []
    const sent = random.pick([
      body,
      body,
      `query=${encodeURIComponent('{ __typename }')}`,
      '{ __typename }',
      '--x\r\n\r\n--x--',
      '',
    ])
    return singleRequest({ headers: [['content-type', random.pick(contentTypes)], bearer(token), ...extraHeaders], body: sent })
  },
  'unusual text'(random, { token }) {
    const query = random.pick([
      'query($text: String!, $id: ID!) { products(first: 2, category: $text) { nodes { id } totalCount } product(id: $id) { id } }',
      'query($text: String!, $id: ID!) { users(first: 2, after: $text) { totalCount } node(id: $id) { id } }',
    ])
    const literal = `{ products(category: \\"${random.pick(nastyTexts).replaceAll('\\', '\\\\')}\\") { nodes { name } } }`
    const variables = `{"text":${nastyString(random)},"id":${nastyString(random)}}`
    return postRequest(token, random.chance(0.3) ? `{"query":"${literal}"}` : `{"query":"${query}","variables":${variables}}`)
  },
  'a refused mutation'(random, { token }) {
    const { query, variables } = refusedMutation(random)
    return postRequest(random.chance(0.8) ? token : '', `{"query":${JSON.stringify(query)},"variables":${variables}}`)
  },
  'a mutation by a wrong method'(random, { token }) {
    const body = JSON.stringify({ query: validMutation })
    const target = `/graphql?query=${encodeURIComponent(validMutation)}`
    const headers = [bearer(token), preflight]
    return singleRequest(
      random.pick([
        { method: 'GET', target, headers },
        { method: 'PUT', target, headers: [json, ...headers], body },
        { headers: [['content-type', 'text/plain'], bearer(token)], body },
        { target, headers: [json, ...headers], body: '{}' },
        { headers: [json, ...headers], body: `[${body}]` },
        { method: 'PATCH', headers: [json, ...headers], body },
      ]),
    )
  },
  'a persisted query'(random, { token }) {
    const query = random.pick(documents)
    const hash = createHash('sha256').update(query).digest('hex')
    const sha256Hash = random.pick([`"${hash}"`, `"${hash.toUpperCase()}"`, `"${'0'.repeat(64)}"`, nastyValue(random)])
    const version = random.pick(['1', '1', '2', nastyValue(random)])
    const persistedQuery = random.pick([`{"version":${version},"sha256Hash":${sha256Hash}}`, nastyValue(random)])
    const text = random.chance(0.5) ? `"query":${JSON.stringify(query)},` : ''
    const extensions = `{"persistedQuery":${persistedQuery}}`
    if (random.chance(0.3)) return getRequest(`extensions=${encodeURIComponent(extensions)}`, token)
    return postRequest(token, `{${text}"extensions":${extensions}}`)
  },
  'another Host'(random, { hot, token }) {
    const host = random.pick(hosts)
    const { body } = random.pick(hot)
    return singleRequest(
      random.chance(0.2)
        ? { host: null, headers: [json, bearer(token)], body }
        : { headers: [['host', host], json, bearer(token)], body },
    )
  },
  'duplicate headers'(random, { hot, token }) {
    const { body } = random.pick(hot)
    const duplicate = random.pick([
      json,
      ['content-type', 'text/plain'],
      ['host', 'other.example'],
      bearer(token),
      ['authorization', 'Bearer x'],
      ['x-request-id', 'a'],
      ['accept', 'text/html'],
      ['content-length', String(Buffer.byteLength(body))],
      ['origin', 'https://evil.example'],
      ['connection', 'keep-alive'],
    ] as const)
    return singleRequest({
      headers: [['host', 'localhost'], json, bearer(token), ['x-request-id', 'b'], duplicate, duplicate],
      body,
    })
  },
  'another version of HTTP'(random, { hot, token }) {
    const { body } = random.pick(hot)
    const version = random.pick(['1.0', '1.0', '1.0', '0.9', '1.2', '2.0', '11', 'x'])
    const keep = random.chance(0.3) ? [['connection', 'keep-alive'] as const] : []
    return singleRequest({
      version,
      host: random.chance(0.5) ? null : 'localhost',
      headers: [json, bearer(token), ...keep],
      body,
    })
  },
  'another method'(random, { hot, token }) {
    const method = random.pick([
      'HEAD',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'TRACE',
      'PROPFIND',
      'QUERY',
      'M-SEARCH',
      'post',
      'FOO',
      '__proto__',
      '',
    ])
    const target = random.pick(['/graphql', '/', '/health', '/metrics', '/schema.graphql', '/nowhere', '*'])
    const { body } = random.pick(hot)
    const sent = httpRequest({ method, target, headers: [json, bearer(token)], ...(method !== 'HEAD' && { body }) })
    return { bytes: sent, answers: 1, bodiless: method === 'HEAD' }
  },
  'an unusual URL'(random, { token }) {
    const path = random.pick(paths)
    const query = random.pick([
      '',
      '',
      '?',
      '?a',
      '?%',
      '?%ff',
      '?a=1&a=2',
      '?__proto__=1',
      '?a[b]=c',
      `?${'a=1&'.repeat(2_000)}`,
      '?after=-1e99',
      '?#',
    ])
    return singleRequest({ method: random.pick(['GET', 'GET', 'GET', 'POST']), target: path + query, headers: [bearer(token)] })
  },
  'a query in the URL'(random, { token }) {
    const query = random.chance(0.5) ? random.pick(documents) : corrupt(random, random.pick(documents))
    const encode = random.chance(0.8) ? encodeURIComponent : (text: string) => text.replaceAll(/[\s\0]+/g, '+')
    const parts = [
      `query=${encode(query)}`,
      `variables=${encode(nastyValue(random))}`,
      `operationName=${encode(random.pick(['A', '', '__proto__']))}`,
    ]
    const chosen = parts.filter(() => random.chance(0.8))
    return getRequest([...chosen, ...(random.chance(0.1) ? chosen : [])].join('&'), token, random.chance(0.8))
  },
  'a bad token'(random, { hot, token }) {
    const { body } = random.pick(hot)
    return singleRequest({ headers: [json, ['authorization', random.pick(badAuthorizations(random, token))]], body })
  },
  'a protocol to switch to'(random, { token }) {
    const headers: [string, string][] = [
      ['connection', 'Upgrade'],
      ['upgrade', random.pick(['websocket', 'h2c', 'x', 'websocket, x'])],
      ['sec-websocket-version', random.pick(['13', '12', 'x'])],
      ['sec-websocket-key', random.pick(['dGhlIHNhbXBsZSBub25jZQ==', 'x', ''])],
      ['sec-websocket-protocol', random.pick(['graphql-transport-ws', 'graphql-ws', 'x', ''])],
    ]
    const head = httpRequest({ method: 'GET', headers: [...headers, bearer(token)], keep: true })
    return { bytes: Buffer.concat([head, randomBytes(random, random.between(0, 60))]), answers: 'any' }
  },
  'random bytes for a connection': randomConnection,
  'corrupted bytes of a request': corruptedBytes,
  'invalid framing': invalidFraming,
  chunks: validChunks,
}

const paths = [
  ...[
    '/',
    '/graphql/',
    '//graphql',
    '/GRAPHQL',
    '/graphql;a',
    '/%67raphql',
    '/graphql%00',
    '/graphql/..',
    '/./graphql',
    '/%',
    '/%ff',
    '/%2e%2e%2f',
  ],
  ...[
    '/dashboard/../../../etc/passwd',
    '/..%2f..%2fpackage.json',
    '/.env',
    '/assets/..%2f..%2fapp.js',
    '/dashboard',
    '/dashboard/metrics',
    '/dashboard/entry?namespace=users&id=user_1',
    '/health',
  ],
  ...[
    '/metrics',
    '/graphiql',
    '/schema.graphql',
    '/\u00e4',
    '/a b',
    '/\\',
    'graphql',
    'http://evil.example/graphql',
    'http://[',
    '*',
    `/${'a'.repeat(9_000)}`,
  ],
  ...['/__proto__', '/constructor', '/graphql/stream', '/?query={__typename}', '/nowhere'],
]

function bearer(token: string) {
  return ['authorization', `Bearer ${token}`] as const
}

function postRequest(token: string, body: string | Buffer): RawAttempt {
  return singleRequest({ headers: [json, ...(token === '' ? [] : [bearer(token)])], body })
}

function getRequest(parameters: string, token: string, isPreflighted = true): RawAttempt {
  return singleRequest({
    method: 'GET',
    target: `/graphql?${parameters}`,
    headers: [bearer(token), ...(isPreflighted ? [preflight] : [])],
  })
}

function singleRequest(request: Parameters<typeof httpRequest>[0]): RawAttempt {
  return { bytes: httpRequest(request), answers: 1 }
}
