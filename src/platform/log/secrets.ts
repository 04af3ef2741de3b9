/**
 * Returns the values of a configuration that must never be logged: passwords in URLs, and settings whose names mark them as
 * secrets.
 */
export function secretsOf(config: Readonly<Record<string, unknown>>): string[] {
  const found = Object.entries(config).flatMap(([name, value]) => {
    const texts = textsOf(value)
    return secretName.test(name) ? texts : texts.flatMap(passwordsOf)
  })
  return [...new Set(found.filter((secret) => secret.length >= minLength))]
}

/**
 * Returns a function that redacts a text: it replaces these secrets (verbatim and in JSON or URL encoding), passwords in URLs,
 * and bearer tokens.
 */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const encodings = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
  // The longest secrets come first, because one secret may contain another.
  const all = [...new Set(encodings)].sort((a, b) => b.length - a.length)
  return (text) =>
    all
      .reduce((rest, secret) => rest.replaceAll(secret, redacted), text)
      .replace(passwordInUrl, `$1${redacted}@`)
      .replace(bearerToken, `$1${redacted}`)
}

const redacted = '[redacted]'
const secretName = /SECRET|PASSWORD|TOKEN|HEADERS|_KEY$/
/** Shorter values would match unrelated text. */
const minLength = 6
const passwordInUrl = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*:)[^\s/@"']+@/gi
const bearerToken = /(\bbearer\s+)[\w.~+/=-]+/gi

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

/**
 * Ignores a password that equals the name of its user or database, because redacting it would redact that name throughout the
 * log.
 */
function passwordsOf(text: string): string[] {
  if (!URL.canParse(text)) return []
  const { password, username, pathname } = new URL(text)
  if (password === username || `/${password}` === pathname) return []
  return [password, decode(password)]
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
