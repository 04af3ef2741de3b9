/** The public id of a row: its kind and its number, as in `product_7`. */
export function publicId(kind: string, number: number): string {
  return `${kind}_${number}`
}

/** The number in an id of that kind; null if the text is not such an id. */
export function idNumber(kind: string, id: string): number | null {
  if (!id.startsWith(`${kind}_`)) return null
  const digits = id.slice(kind.length + 1)
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null
}

/** The kind of an id; null if the text is not an id. */
export function idKind(id: string): string | null {
  const kind = id.slice(0, Math.max(0, id.lastIndexOf('_')))
  return kind !== '' && idNumber(kind, id) !== null ? kind : null
}
