import type { Random } from '../random.js'
import { nastyTexts, randomOffset } from './values.js'

type Header = readonly [name: string, value: string]

export const contentTypes = [
  ...[
    '',
    'json',
    'text/plain',
    'application/graphql',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'multipart/form-data; boundary=x',
  ],
  ...[
    'application/json; charset=utf-16',
    'application/json; charset=',
    'application/json;;',
    'application/json, text/plain',
    'APPLICATION/JSON',
  ],
  ...[
    'application/json; charset=utf-8; charset=latin1',
    'application/graphql+json',
    'image/png',
    '*/*',
    '/',
    ';',
    'a/b; c="',
    'constructor',
    '__proto__',
  ],
]

export const hosts = [
  ...[
    '',
    ' ',
    'a b',
    '<>',
    'a:b',
    'a:99999',
    '[::1',
    '[::1]',
    '@',
    'user:password@a',
    'a/b',
    'a?b',
    '%',
    '%00',
    '127.0.0.1:0',
    '..',
    'ä.example',
  ],
  ...['a\tb', '\\', '999.999.999.999', '0x7f.1', '1', 'a'.repeat(300), '[fe80::1%25eth0]', 'xn--', '*'],
]

export function hostileHeaders(random: Random, token: string): Header[] {
  const count = random.between(1, 4)
  return Array.from({ length: count }, () => hostileHeader(random, token))
}

function hostileHeader(random: Random, token: string): Header {
  const long = 'a'.repeat(random.pick([65, 1_000, 7_000]))
  const [name, values] = random.pick<[string, readonly string[]]>([
    ['x-forwarded-for', ['127.0.0.1', '::1', '1.2.3.4, 5.6.7.8', 'unknown', ',,,', '999.1.1.1', '<script>', '__proto__', long]],
    ['x-forwarded-proto', ['https', 'javascript', '']],
    ['x-forwarded-host', ['evil.example', 'a b', '']],
    [
      'x-request-id',
      ['mine', 'a b', '', '%0d%0aset-cookie: a=b', '"', '<script>', '$(id)', '\u00e4\u{1f600}', '__proto__', long],
    ],
    [
      'accept',
      [
        '*/*',
        'text/html',
        'application/json;q=0',
        'application/graphql-response+json',
        '',
        ';;;',
        'a',
        'text/event-stream',
        'multipart/mixed',
        long,
      ],
    ],
    ['accept-encoding', ['gzip', 'br', 'br;q=0, gzip', 'identity;q=0', '*;q=0', '', 'constructor', long]],
    ['origin', ['https://studio.apollographql.com', 'https://evil.example', 'null', '', 'a b', '*']],
    ['if-none-match', ['*', '"a"', 'W/"a"', '', long]],
    ['if-modified-since', ['yesterday']],
    ['range', ['bytes=0-1', 'bytes=-1', 'a']],
    ['expect', ['100-continue', 'nonsense']],
    ['upgrade', ['websocket', 'h2c', 'constructor']],
    ['te', ['trailers', 'chunked']],
    ['cookie', ['a=b', '__proto__=1', long]],
    ['traceparent', ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'zz', long]],
    ['cache-control', ['no-cache', 'no-store', 'max-age=x', ',,,']],
    ['x-cache-report', ['1', 'true', 'x']],
    ['x-apollo-operation-name', ['Product', '', '__proto__']],
    ['x-http-method-override', ['DELETE']],
    ['apollographql-client-name', ['__proto__', long]],
    ['authorization', badAuthorizations(random, token)],
    ['constructor', ['x']],
    ['__proto__', ['x']],
  ])
  return [name, random.pick(values)]
}

/** Parts and corruptions of a valid token, and values that are no tokens */
export function badAuthorizations(random: Random, token: string): string[] {
  const [head = '', claims = '', signature = ''] = token.split('.')
  const at = randomOffset(random, token)
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  return [
    ...[
      '',
      'Bearer',
      'Bearer ',
      'Basic YTpi',
      'Basic',
      'Digest a',
      'bearer x',
      'Bearer a b',
      'Bearer ..',
      'Bearer null',
      'Bearer __proto__.a.b',
    ],
    ...[
      `Bearer ${none}.${claims}.`,
      `Bearer ${head}.${claims}`,
      `Bearer ${head}.${claims}.${signature}x`,
      `Bearer ${token.slice(0, at)}`,
    ],
    ...[
      `Bearer ${token.slice(0, at)}A${token.slice(at + 1)}`,
      `Bearer ${token} ${token}`,
      `${token}`,
      `Bearer ${'a.'.repeat(3_000)}`,
    ],
    ...[`Bearer ${Buffer.from(random.pick(nastyTexts)).toString('base64url')}.${claims}.${signature}`],
  ]
}
