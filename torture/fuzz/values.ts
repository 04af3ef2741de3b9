import type { Random } from '../random.js'

/** Texts as they occur between the quotes of JSON; escapes are left to the parser. */
export const nastyTexts = [
  ...[
    '',
    ' ',
    '\\u0000',
    'a\\u0000b',
    '\\ud800',
    '\\udc00\\ud800',
    '\\ufeff',
    '\\u2028',
    '\\\\',
    '\\"',
    '\\n\\r\\t',
    '\u{1f600}',
  ],
  ...[
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'toString',
    '../../etc/passwd',
    '%00',
    '$(id)',
    '{{7*7}}',
    '<script>',
    "'; --",
  ],
  ...[
    'product_1',
    'user_1',
    'order_1',
    'product_0',
    'product_-1',
    'product_01',
    'product_1.5',
    'PRODUCT_1',
    'product_1 ',
    'product_',
  ],
  ...[
    'product_9223372036854775807',
    'product_9223372036854775808',
    'product_99999999999999999999999',
    'product_1e3',
    'product_٣',
  ],
  ...[
    'user_\\u0000',
    '*',
    '?',
    '[a-z]*',
    'ecommerce:v1:products:product_1',
    '\\r\\nDEL a\\r\\n',
    'e\\u0301',
    '\u202e',
    'a'.repeat(300),
  ],
]

export const nastyNumbers = [
  ...['0', '-0', '-1', '1', '100', '101', '1.5', '1e2', '1e400', '-1e400', '1e-400', '2147483647', '2147483648', '-2147483649'],
  ...[
    '9007199254740993',
    '9223372036854775808',
    `1${'0'.repeat(400)}`,
    `0.${'1'.repeat(400)}`,
    '01',
    '+1',
    '.5',
    '1.',
    'NaN',
    'Infinity',
  ],
]

/** A JSON value of any type, or text that resembles one */
export function nastyValue(random: Random, depth = 0): string {
  const leaves = ['null', 'true', 'false', '[]', '{}', random.pick(nastyNumbers), nastyString(random), nastyString(random)]
  if (depth > 2 || random.chance(0.7)) return random.pick(leaves)
  const values = Array.from({ length: random.between(1, 4) }, () => nastyValue(random, depth + 1))
  return random.chance(0.5) ? `[${values}]` : `{${values.map((value) => `${nastyString(random)}:${value}`)}}`
}

export function nastyString(random: Random): string {
  return `"${random.pick(nastyTexts)}"`
}

export function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.between(0, 255)))
}

/** A random position in a text */
export function randomOffset(random: Random, text: { length: number }): number {
  return random.between(0, text.length)
}
