/**
 * @typedef {object} Answer
 * @property {object} result The body as another client would receive it, or an error if there is no JSON body
 * @property {{ status: number, statusText: string, milliseconds: number } | undefined} http undefined: the server did not answer
 * @property {{ extensions?: { code?: string, retryAfterSeconds?: number } }[]} errors
 * @property {Cost | undefined} cost
 * @property {Record<string, Lookups> | undefined} cache By namespace; undefined if the server did not report it
 */
/** @typedef {{ requested: number, maximum: number, remaining?: number }} Cost */
/** @typedef {Record<'near' | 'far' | 'stale' | 'negative' | 'miss' | 'statements' | 'statementMs', number>} Lookups */

/**
 * Sends a query or a mutation. Requests the reports about its cost and its cache lookups, and removes them from the result unless the
 * user requested them too. Never rejects.
 * @param {import('./graphiql.js').Operation} operation
 * @param {import('./graphiql.js').Headers} headers
 * @returns {Promise<Answer>}
 */
export async function sendOperation(operation, headers) {
  const startedAt = performance.now()
  try {
    const sent = withHeaders({ accept: 'application/json', ...reports }, headers)
    const response = await fetch('/graphql', { method: 'POST', headers: sent, body: JSON.stringify(operation) })
    const body = await readJson(response)
    const { cost, cache, ...extensions } = body.extensions ?? {}
    const requested = new Headers(headers)
    if (requested.has('x-cost-report') && cost) extensions.cost = cost
    if (requested.has('x-cache-report') && cache) extensions.cache = cache
    const { extensions: _, ...result } = body
    return {
      result: Object.keys(extensions).length > 0 ? { ...result, extensions } : result,
      http: { status: response.status, statusText: response.statusText, milliseconds: performance.now() - startedAt },
      errors: body.errors ?? [],
      cost,
      cache,
    }
  } catch (error) {
    return { result: { errors: [{ message: String(error) }] }, http: undefined, errors: [], cost: undefined, cache: undefined }
  }
}

/**
 * Returns the headers of a request with a JSON body. Those of the user replace others of the same name.
 * @param {Record<string, string>} defaults
 * @param {import('./graphiql.js').Headers} headers
 */
export function withHeaders(defaults, headers) {
  const sent = new Headers({ 'content-type': 'application/json', ...defaults })
  for (const [name, value] of Object.entries(headers)) sent.set(name, value)
  return sent
}

/** Returns the body, or an error in its place if it is not JSON, for example that of a proxy. @param {Response} response */
export async function readJson(response) {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return { errors: [{ message: `HTTP ${response.status}: the answer is not JSON: ${text.slice(0, 200)}` }] }
  }
}

const reports = { 'x-cost-report': '1', 'x-cache-report': '1' }
