import type { Random } from '../random.js'
import { nastyNumbers, nastyTexts, randomOffset } from './values.js'

/** Valid documents to be corrupted. None of them writes. */
export const documents = [
  '{ product(id: "product_1") { id name price stock category } }',
  'query Product($id: ID!) { product(id: $id) { id name price } }',
  'query Order($id: ID!) { order(id: $id) { id total createdAt user { name email } products { name price } } }',
  'query Page($first: Int, $after: String, $category: String) { products(first: $first, after: $after, category: $category) { nodes { id } pageInfo { hasNextPage endCursor } totalCount } }',
  'query Backwards($last: Int, $before: String) { users(last: $last, before: $before) { edges { cursor node { id orders(first: 2) { totalCount } } } } }',
  'query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id __typename ... on User { name } ... on Product { price } ... on Order { total } } }',
  'query Both($with: Boolean!) { a: product(id: "product_2") { name @include(if: $with) } b: user(id: "user_2") @skip(if: $with) { name } }',
  'query Parts { user(id: "user_3") { ...Names orders(first: 3) { nodes { ...Totals } } } } fragment Names on User { id name } fragment Totals on Order { id total }',
  'query A { stats { totalOrders asOf caches { namespace hits } } } query B { cacheInfo { backend keys } }',
  '{ __schema { types { name fields { name args { name defaultValue } } } } __type(name: "Order") { name } }',
  'subscription { productChanged(ids: ["product_1"]) { __typename } }',
]

export const variableNames = ['id', 'first', 'after', 'last', 'before', 'category', 'ids', 'with']

const tokens = [
  ...[
    '{',
    '}',
    '(',
    ')',
    '[',
    ']',
    ':',
    '!',
    '$',
    '@',
    '...',
    '|',
    '&',
    '=',
    '"',
    '"""',
    '#',
    ',',
    '\n',
    '\ufeff',
    '\0',
    '\\',
    '`',
    '💥',
  ],
  ...[
    'query',
    'fragment',
    'on',
    'subscription',
    'null',
    'true',
    'type',
    'extend',
    'input',
    'schema',
    '__typename',
    '@defer',
    '@stream',
  ],
  ...[
    '$id',
    '$nothing',
    'products',
    'first: 100',
    'id',
    'user',
    'edges { node',
    '... on Node {',
    '...Names',
    '@skip(if: true)',
    '@include(if: $with)',
  ],
]

/** Makes one to four changes of characters and tokens at random places. Never creates a mutation. */
export function corrupt(random: Random, document: string): string {
  let text = document
  for (let left = random.between(1, 4); left > 0; left -= 1) text = corruptOnce(random, text)
  return text.replaceAll('mutation', 'query')
}

function corruptOnce(random: Random, text: string): string {
  const from = randomOffset(random, text)
  const to = Math.min(text.length, from + random.between(1, 12))
  const [before, piece, after] = [text.slice(0, from), text.slice(from, to), text.slice(to)]
  switch (random.between(0, 6)) {
    case 0:
      return before + after
    case 1:
      return before + piece.repeat(random.between(2, 20)) + after
    case 2:
      return before
    case 3:
      return text.replace(/\d+/, random.pick(nastyNumbers))
    case 4:
      return text.replace(/"[^"]*"/, `"${random.pick(nastyTexts)}"`)
    default:
      return `${before} ${random.pick(tokens)} ${piece}${after}`
  }
}

/** A large document that is valid without limits on depth and size */
export function deepDocument(random: Random): string {
  const depth = random.pick([20, 200, 2_000, 20_000])
  const around = (open: string, close: string, inside: string) => open.repeat(depth) + inside + close.repeat(depth)
  switch (random.between(0, 5)) {
    case 0:
      return `{ user(id: "user_1") { ${around('orders(first: 1) { nodes { user { ', '} } }', 'id')} } }`
    case 1:
      return `{ nodes(ids: ${around('[', ']', '"product_1"')}) { id } }`
    case 2:
      return `{ ${around('... { ', '}', '__typename')} }`
    case 3:
      return `{ ${Array.from({ length: Math.min(depth, 2_000) }, (_, index) => `a${index}: product(id: "product_${index}") { id }`).join(' ')} }`
    case 4:
      return `query(${Array.from({ length: Math.min(depth, 2_000) }, (_, index) => `$a${index}: Int`).join(' ')}) { __typename }`
    default:
      return `{ a: __typename ${'@skip(if: false) '.repeat(Math.min(depth, 2_000))} ${'#'.repeat(depth)} }`
  }
}
