import { createHash } from 'node:crypto'
import type { Random } from '../random.js'
import type { AttackSession } from './attack-session.js'

// Attacks by single requests that are large, new, expensive or invalid

const largest = 500_000

/** Each request is a new document of 1 point with up to half a megabyte of padding. */
export async function paddedDocuments(session: AttackSession): Promise<void> {
  await session.runWorkers(4, () =>
    session.query(padded(session.random, '{ __typename }', session.random.between(20_000, largest))),
  )
}

/** The same by GET, up to the maximum length of a request line, and as persisted queries */
export async function paddedByGetAndHash(session: AttackSession): Promise<void> {
  const { random } = session
  const preflighted = { 'apollo-require-preflight': '1' }
  await session.runWorkers(4, async () => {
    const document = padded(random, '{ __typename }', random.between(100, random.chance(0.5) ? 5_000 : 100_000))
    if (document.length < 5_000)
      return session.send({ method: 'GET', path: `/graphql?query=${encodeURIComponent(document)}`, headers: preflighted })
    const sha256Hash = createHash('sha256').update(document).digest('hex')
    return session.send({ body: JSON.stringify({ query: document, extensions: { persistedQuery: { version: 1, sha256Hash } } }) })
  })
}

/** Long texts that become part of a key or of an answer */
export async function longValues(session: AttackSession): Promise<void> {
  const { random } = session
  const fields = [
    'products(category: $text) { nodes { id } }',
    'products(after: $text) { nodes { id } }',
    'product(id: $text) { id }',
    'user(id: $text) { id }',
    'node(id: $text) { id }',
    'nodes(ids: [$text, $text]) { id }',
  ]
  await session.runWorkers(8, (worker) => {
    const field = random.pick(fields)
    const text = `${random.pick(['', 'product_', 'user_', 'order_'])}${random.next()}${random.pick(['|', 'é', '"', 'x', ':']).repeat(random.between(10, 400_000 / 4))}`
    const type = /ids?:/.test(field) ? 'ID!' : 'String'
    return session.query(`query($text: ${type}) { ${field} ${worker % 2 === 0 ? '__typename' : ''} }`, { text })
  })
}

/** Requests of few points that need much work in the parser, validation, coercion or execution */
export async function underpricedRequests(session: AttackSession): Promise<void> {
  const { random } = session
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
  await session.runWorkers(8, () => session.query(...random.pick(shapes)()))
}

/** 300 clients that send only new documents, each of which takes some milliseconds to validate */
export async function newDocuments(session: AttackSession): Promise<void> {
  await session.runWorkers(300, () => session.query(newDocument(session.random)))
}

/** The same at the endpoint of subscriptions */
export async function newDocumentsAtStream(session: AttackSession): Promise<void> {
  await session.runWorkers(200, () =>
    session.send({ path: '/graphql/stream', body: JSON.stringify({ query: newDocument(session.random) }) }),
  )
}

/** Requests that are refused for different reasons, to test how much of them is logged, echoed and kept */
export async function badRequests(session: AttackSession): Promise<void> {
  const { random } = session
  const name = () => `n${random.between(0, 1e9)}`
  const requests: (() => Promise<void>)[] = [
    () =>
      session.send({ headers: { authorization: `Bearer ${name()}.${name()}.${name()}` }, body: '{"query":"{ __typename }"}' }),
    () => session.send({ body: `{"query": "${'x'.repeat(random.between(1, 10_000))}` }),
    () => session.send({ body: '[]'.repeat(random.between(1, 1_000)) }),
    () => session.send({ body: '['.repeat(random.between(1, 200_000)) }),
    () => session.send({ headers: { 'content-type': 'text/plain' }, body: name() }),
    () => session.send({ headers: { 'content-encoding': 'gzip' }, body: name() }),
    () => session.send({ headers: { 'content-type': `application/json; charset=${name()}` }, body: '{}' }),
    () => session.send({ method: random.pick(['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']), path: `/${name()}` }),
    () => session.send({ method: 'GET', path: `/${name().repeat(random.between(1, 700))}` }),
    () => session.send({ headers: { host: `${name()}.example` }, body: '{"query":"{ __typename }"}' }),
    () => session.query(`{ ${name()}${'x'.repeat(random.between(1, largest))} }`),
    () => session.query(`query ${name()} { __typename }`),
    () => session.query(`{ products(first: "${'y'.repeat(random.between(1, largest))}") { nodes { id } } }`),
    () => session.query('{ user(id: "user_1") { email } }'),
  ]
  await session.runWorkers(16, () => random.pick(requests)())
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
