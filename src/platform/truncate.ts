/** The beginning and the end of what a client sent or an error says of it: neither an answer nor a log should be as long as a request. */
export function truncate(text: string): string {
  if (text.length <= maxLength) return text
  return `${text.slice(0, headLength)}…${text.slice(-tailLength)}`.toWellFormed()
}

const maxLength = 400
const headLength = 250
const tailLength = 149
