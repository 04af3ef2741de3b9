/** The maximum length of sources that are compiled */
const maxLength = 8_192

/** Valid documents for the shop that are as expensive to compile as their length allows, by what makes them expensive. */
export const adversarialDocuments: Record<string, string> = {
  'many aliases': fill('{', (index) => `a${index}:__typename `, '}'),
  'many aliases of an abstract type': fill(
    '{',
    (index) => `a${index}:node(id:1){...on User{id}...on Order{id}...on Product{id}}`,
    '}',
  ),
  'the deepest nesting': deep('{user(id:1){', 'orders{nodes{user{', '}}}', '}}'),
  'the deepest inline fragments': deep('{user(id:1){', '...{', '}', '}}'),
  'fragments that double with every level': exponential(40),
  'fragments of an abstract type that double with every level': `${exponential(30).replace('user(id:1)', 'node(id:1)')}`,
  'one field repeated': `{user(id:1){${'id '.repeat(600)}}}`,
  'one object field repeated': `{${'user(id:1){id}'.repeat(300)}}`,
  'one wide fragment in many places': inManyPlaces(() => 'id '.repeat(700)),
  'one fragment of fragments in many places': inManyPlaces((wide) => fill('', () => '...{id}', '', wide)),
  'one fragment with many conditions in many places': inManyPlaces((wide) => fill('', () => '...on Node{id}', '', wide)),
  'many fragments and many fields': manyFragments(),
}

/** A document that is compiled and takes as much memory as possible; a different one for each index. */
export function costlyDocument(kind: 'long' | 'short', index: number): string {
  if (kind === 'long')
    return fill(`{own:user(id:${index}){id}`, (place) => (place < 70 ? `a${place}:node(id:1){__typename}` : ' '), '}')
  const thrice = (field: string, inner: string) => ['a', 'b', 'c'].map((alias) => `${alias}:${field}{...${inner}}`).join(' ')
  return [
    `{own${index}:user(id:1){...A}}`,
    `fragment A on User{${thrice('orders', 'B')}}`,
    `fragment B on OrderConnection{${thrice('nodes', 'C')}}`,
    `fragment C on Order{${thrice('user', 'D')}}`,
    'fragment D on User{a:id b:name c:email d:id e:name f:email g:id h:name}',
  ].join('')
}

function fill(start: string, part: (index: number) => string, end: string, max = maxLength): string {
  let text = start
  for (let index = 0; text.length + part(index).length + end.length <= max; index += 1) text += part(index)
  return text + end
}

function deep(start: string, open: string, close: string, end: string): string {
  const levels = Math.floor((maxLength - start.length - end.length - 3) / (open.length + close.length))
  return `${start}${open.repeat(levels)}id ${close.repeat(levels)}${end}`
}

/** 30 levels would be a billion fields if all were visited */
function exponential(levels: number): string {
  const fragments = Array.from({ length: levels }, (_, level) => {
    const next = level + 1 < levels ? `...F${level + 1}` : 'id'
    return `fragment F${level} on User{a:orders{nodes{user{${next}}}}b:orders{nodes{user{${next}}}}}`
  })
  return `{user(id:1){...F0}}${fragments.join('')}`
}

/** Spreads one fragment in about 300 places; `fillWide` returns its selections, given their maximum length. */
function inManyPlaces(fillWide: (max: number) => string): string {
  const places = fill(
    'fragment P on Query{',
    (index) => (index < 330 ? `a${index}:user(id:1){...W}` : ' '.repeat(maxLength)),
    '}',
    5_000,
  )
  const head = `{...P}${places}fragment W on User{`
  return `${head}${fillWide(maxLength - head.length - 1)}}`
}

function manyFragments(): string {
  const count = 130
  const names = Array.from({ length: count }, (_, index) => index)
  const fragments = names.map((index) => `fragment F${index} on Query{x:cacheInfo{keys}}`).join('')
  const spreads = names.map((index) => `...F${index} `).join('')
  return fill(`${fragments}{${spreads}`, (index) => `a${index}:cacheInfo{keys}`, '}')
}
