/** Returns the public id of a row: its kind and its number, such as `product_7`. */
export function publicId(kind: string, number: number): string {
  return `${kind}_${number}`
}

/** Returns the number in an id of this kind; null if `id` is not an id of this kind. */
export function idNumber(kind: string, id: string): number | null {
  if (!id.startsWith(`${kind}_`)) return null
  const digits = id.slice(kind.length + 1)
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : null
}

/** Returns the kind of an id; null if `id` is not an id. */
export function idKind(id: string): string | null {
  const kind = id.slice(0, Math.max(0, id.lastIndexOf('_')))
  return kind !== '' && idNumber(kind, id) !== null ? kind : null
}
