/**
 * Copies a text that may be a part of a larger one, such as an id in a query. V8 would keep the larger text in memory for as long as
 * the part.
 */
export function copyOf(text: string): string {
  return Buffer.from(text).toString()
}
