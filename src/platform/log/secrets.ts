/** What of a configuration nobody may read in a log: passwords in addresses, and whatever is named like a secret. */
export function secretsOf(config: Readonly<Record<string, unknown>>): string[] {
  const found = Object.entries(config).flatMap(([name, value]) => {
    const texts = textsOf(value)
    return secretName.test(name) ? texts : texts.flatMap(passwordsOf)
  })
  return [...new Set(found.filter((secret) => secret.length >= minLength))]
}

/** Takes secrets out of a text, as they are and as JSON or an address writes them; also passwords in any address, and bearer tokens. */
export function createRedactor(secrets: readonly string[]): (text: string) => string {
  const written = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
  // The longest first: one may be a part of another.
  const all = [...new Set(written)].sort((a, b) => b.length - a.length)
  return (text) =>
    all
      .reduce((rest, secret) => rest.replaceAll(secret, redacted), text)
      .replace(passwordInAddress, `$1${redacted}@`)
      .replace(bearerToken, `$1${redacted}`)
}

const redacted = '[redacted]'
const secretName = /SECRET|PASSWORD|TOKEN|HEADERS|_KEY$/
/** A shorter one would be found everywhere. */
const minLength = 6
const passwordInAddress = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"']*:)[^\s/@"']+@/gi
const bearerToken = /(\bbearer\s+)[\w.~+/=-]+/gi

function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : []
}

/** One that is the name of its user, or of the database, is for tests, and the name is all over the log. */
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
