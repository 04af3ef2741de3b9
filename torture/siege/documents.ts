import { createHash } from 'node:crypto'
import type { Random } from '../random.js'
import type { Arena } from './arena.js'

// Requests that are answered or refused one by one: what is in them is large, new, expensive or wrong

const largest = 500_000

/** Each request is another document of 1 point, with up to half a megabyte that means nothing. */
export async function paddedDocuments(arena: Arena): Promise<void> {
  await arena.many(4, () => arena.query(padded(arena.random, '{ __typename }', arena.random.between(20_000, largest))))
}

/** The same by GET, as far as a request line may go, and as documents to be remembered by their hash */
export async function paddedElsewhere(arena: Arena): Promise<void> {
  const { random } = arena
  const preflighted = { 'apollo-require-preflight': '1' }
  await arena.many(4, async () => {
    const document = padded(random, '{ __typename }', random.between(100, random.chance(0.5) ? 5_000 : 100_000))
    if (document.length < 5_000)
      return arena.send({ method: 'GET', path: `/graphql?query=${encodeURIComponent(document)}`, headers: preflighted })
    const sha256Hash = createHash('sha256').update(document).digest('hex')
    return arena.send({ body: JSON.stringify({ query: document, extensions: { persistedQuery: { version: 1, sha256Hash } } }) })
  })
}

/** Texts that become part of a key, or of an answer */
export async function longValues(arena: Arena): Promise<void> {
  const { random } = arena
  const fields = [
    'products(category: $text) { nodes { id } }',
    'products(after: $text) { nodes { id } }',
    'product(id: $text) { id }',
    'user(id: $text) { id }',
    'node(id: $text) { id }',
    'nodes(ids: [$text, $text]) { id }',
  ]
  await arena.many(8, (worker) => {
    const field = random.pick(fields)
    const text = `${random.pick(['', 'product_', 'user_', 'order_'])}${random.next()}${random.pick(['|', 'é', '"', 'x', ':']).repeat(random.between(10, 400_000 / 4))}`
    const type = /ids?:/.test(field) ? 'ID!' : 'String'
    return arena.query(`query($text: ${type}) { ${field} ${worker % 2 === 0 ? '__typename' : ''} }`, { text })
  })
}

/** Few points, much work: for the parser, for validation, for coercion, for rows that all are at hand */
export async function fewPoints(arena: Arena): Promise<void> {
  const { random } = arena
  const shapes: (() => [document: string, variables?: unknown])[] = [
    () => [
      `query($ids: [ID!]!) { nodes(ids: $ids) { id } }`,
      { ids: Array.from({ length: 45_000 }, (_, index) => `product_${index}`) },
    ],
    () => ['{ __typename }', Object.fromEntries(Array.from({ length: 45_000 }, (_, index) => [`v${index}`, index]))],
    () => [`{ products(category: """${'x\n'.repeat(random.between(1_000, 240_000))}""") { nodes { id } } }`],
    () => [
      `{ ${Array.from({ length: 28 }, () => `a${random.between(0, 1e9)}: product(id: "product_1") { id name price stock category }`).join(' ')} }`,
    ],
    () => [`{ __typename ${'id name price '.repeat(320)} }`],
    () => [`{ products(first: 100) { nodes { id name price stock category ${`a${random.between(0, 1e9)}`}: id } } }`],
    () => [
      `{ ${'...F '.repeat(300)} } fragment F on Query { __typename ${random.between(0, 1e9) % 2 ? '@skip(if: false)' : ''} }`,
    ],
    () => [`query(${Array.from({ length: 200 }, (_, index) => `$v${index}: ID`).join(' ')}) { __typename }`],
    () => [nested(random.between(10, 200))],
  ]
  await arena.many(8, () => arena.query(...random.pick(shapes)()))
}

/** 300 clients that give nothing up: each document is new, and takes some milliseconds to validate. */
export async function newDocuments(arena: Arena): Promise<void> {
  await arena.many(300, () => arena.query(newDocument(arena.random)))
}

/** The same where subscriptions are begun */
export async function newDocumentsAtStream(arena: Arena): Promise<void> {
  await arena.many(200, () => arena.send({ path: '/graphql/stream', body: JSON.stringify({ query: newDocument(arena.random) }) }))
}

/** Refused, each for another reason: how much is logged, echoed and kept of them? */
export async function badRequests(arena: Arena): Promise<void> {
  const { random } = arena
  const name = () => `n${random.between(0, 1e9)}`
  const wrong: (() => Promise<void>)[] = [
    () => arena.send({ headers: { authorization: `Bearer ${name()}.${name()}.${name()}` }, body: '{"query":"{ __typename }"}' }),
    () => arena.send({ body: `{"query": "${'x'.repeat(random.between(1, 10_000))}` }),
    () => arena.send({ body: '[]'.repeat(random.between(1, 1_000)) }),
    () => arena.send({ body: '['.repeat(random.between(1, 200_000)) }),
    () => arena.send({ headers: { 'content-type': 'text/plain' }, body: name() }),
    () => arena.send({ headers: { 'content-encoding': 'gzip' }, body: name() }),
    () => arena.send({ headers: { 'content-type': `application/json; charset=${name()}` }, body: '{}' }),
    () => arena.send({ method: random.pick(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']), path: `/${name()}` }),
    () => arena.send({ method: 'GET', path: `/${name().repeat(random.between(1, 700))}` }),
    () => arena.send({ headers: { host: `${name()}.example` }, body: '{"query":"{ __typename }"}' }),
    () => arena.query(`{ ${name()}${'x'.repeat(random.between(1, largest))} }`),
    () => arena.query(`query ${name()} { __typename }`),
    () => arena.query(`{ products(first: "${'y'.repeat(random.between(1, largest))}") { nodes { id } } }`),
    () => arena.query('{ user(id: "user_1") { email } }'),
  ]
  await arena.many(16, () => random.pick(wrong)())
}

function newDocument(random: Random): string {
  return `# ${random.next()}\n{ product(id: "product_1") { ${'id name price '.repeat(150)} } }`
}

function padded(random: Random, document: string, length: number): string {
  const mark = `# ${random.next()}\n`
  const padding = random.pick([
    () => `#${'x'.repeat(length)}\n`,
    () => '#\n'.repeat(length / 2),
    () => ', '.repeat(length / 2),
    () => '\n'.repeat(length),
    () => `#${'é'.repeat(length / 2)}\n`,
  ])
  return random.chance(0.5) ? `${mark}${padding()}${document}` : `${document}${mark}${padding()}`
}

function nested(depth: number): string {
  return `{ products { nodes ${'{ ... on Product '.repeat(depth)}{ id }${' }'.repeat(depth)} } }`
}
