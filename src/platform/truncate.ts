/**
 * Shortens client input, or an error message about client input, to the beginning and the end, so that no response or log line is
 * as long as a request.
 */
export function truncate(text: string): string {
  if (text.length <= maxLength) return text
  return `${text.slice(0, headLength)}…${text.slice(-tailLength)}`.toWellFormed()
}

const maxLength = 400
const headLength = 250
const tailLength = 149
