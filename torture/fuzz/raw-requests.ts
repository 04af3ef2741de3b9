import type { Random } from '../random.js'
import { type Attempt, httpRequest, json } from './attempt.js'
import { documents } from './documents.js'
import { randomBytes, randomOffset } from './values.js'

/** Bytes that no HTTP client would send. The server need not answer but must close the connection. */
type RawAttempt = Pick<Attempt, 'bytes' | 'answers'>

const validBody = (random: Random) =>
  JSON.stringify({ query: random.pick(documents), variables: { id: 'product_1', first: 2, ids: ['user_1'] } })

export function randomConnection(random: Random): RawAttempt {
  const starts = [
    '',
    'GET / HTTP/1.1\r\n',
    'POST /graphql HTTP/1.1\r\nhost: a\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01',
  ]
  const bytes = Buffer.concat([Buffer.from(random.pick(starts), 'latin1'), randomBytes(random, random.between(0, 400))])
  return { bytes, answers: 'any' }
}

/** Changes, repeats or removes some bytes of a valid request. */
export function corruptedBytes(random: Random): RawAttempt {
  let bytes = httpRequest({ headers: [json], body: validBody(random) })
  for (let left = random.between(1, 5); left > 0; left -= 1) {
    const at = randomOffset(random, bytes)
    const insertion = random.pick([
      randomBytes(random, 1),
      Buffer.from('\r\n'),
      Buffer.from('\0'),
      bytes.subarray(at, at + 30),
      Buffer.alloc(0),
    ])
    bytes = Buffer.concat([bytes.subarray(0, at), insertion, bytes.subarray(at + random.between(0, 3))])
  }
  return { bytes, answers: 'any' }
}

/** Declares the length of the body wrongly, twice or unusually. */
export function invalidFraming(random: Random): RawAttempt {
  const body = validBody(random)
  const length = Buffer.byteLength(body)
  const post = (headers: [string, string][], content: string | Buffer = body) =>
    httpRequest({ headers: [json, ...headers], body: content })
  const chunk = (text: string, size = Buffer.byteLength(text).toString(16)) => `${size}\r\n${text}\r\n`
  const chunked: [string, string] = ['transfer-encoding', 'chunked']
  const variants = [
    () => post([['content-length', String(length + random.between(1, 500))]]),
    () => post([['content-length', String(random.between(0, length - 1))]]),
    () =>
      post([
        [
          'content-length',
          random.pick(['-1', '0x10', '1e3', '', '+5', '5, 5', '99999999999999999999', 'NaN', '1048577', '4294967296']),
        ],
      ]),
    () =>
      post([
        ['content-length', String(length)],
        ['content-length', String(length + 1)],
      ]),
    () => post([['content-length', String(length)], chunked], chunk(body) + chunk('')),
    () =>
      post(
        [['transfer-encoding', random.pick(['gzip', 'identity', 'chunked, chunked', 'gzip, chunked', 'xchunked', ' chunked'])]],
        chunk(body),
      ),
    () => post([chunked], chunk(body, random.pick(['zz', '-1', 'fffffffffffffffff', '', '0', '5;a=b', ' 5']))),
    () => post([chunked], chunk(body)),
    () => post([], Buffer.alloc(random.pick([1_048_576, 1_048_577, 2_000_000]), '{"query":"{ __typename }"} ')),
    () => post([chunked], chunk('x'.repeat(1_100_000)) + chunk('')),
    () => post([['content-encoding', random.pick(['gzip', 'br', 'zstd', 'identity'])]]),
    () => post([['x', 'y'.repeat(random.pick([8_000, 17_000, 70_000]))]]),
    () => post(Array.from({ length: random.pick([90, 2_100]) }, (_, index) => [`x-${index}`, 'y'])),
  ]
  return { bytes: random.pick(variants)(), answers: 'any' }
}

/** A valid request in several chunks */
export function validChunks(random: Random): RawAttempt {
  const body = validBody(random)
  const at = randomOffset(random, body)
  const pieces = [body.slice(0, at), body.slice(at)].filter((piece) => piece !== '')
  const chunks = [...pieces, ''].map((piece) => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`)
  return { bytes: httpRequest({ headers: [json, ['transfer-encoding', 'chunked']], body: chunks.join('') }), answers: 1 }
}
