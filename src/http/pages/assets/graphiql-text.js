/** @typedef {import('./graphiql-requests.js').Answer} Answer */
/** @typedef {import('./graphiql-requests.js').Lookups} Lookups */
/** @typedef {import('./graphiql-subscriptions.js').End} End */

/** Whether the operation was executed without errors @param {Answer} answer */
export function isSuccess({ http, errors }) {
  return http !== undefined && http.status < 400 && errors.length === 0
}

/** @param {Answer} answer */
export function describeAnswer({ http, errors, cost, cache }) {
  if (!http) return `No answer: ${startServer}`
  return [
    `HTTP ${http.status} ${http.statusText}`.trim().concat(` in ${milliseconds(http.milliseconds)}.`),
    errors.length > 0 ? `${count(errors.length, 'error')}.` : '',
    adviceOn(errors),
    cost ? `Cost: ${describeCost(cost)}.` : '',
    cache && http.status < 400 ? `Cache: ${describeCache(Object.values(cache))}.` : '',
    // The reports are part of the answers of executed operations only.
    cost && !cache ? 'Where the fields came from is reported to administrators only.' : '',
  ]
    .filter((part) => part !== '')
    .join(' ')
}

/** Where the fields came from, a line per namespace of the cache @param {Answer} answer @returns {string[]} */
export function describeSources({ cache = {} }) {
  return Object.entries(cache).map(([namespace, lookups]) => {
    const found = sources.flatMap(([source, text]) => (lookups[source] > 0 ? `${format(lookups[source])} ${text}` : []))
    return `${namespace}: ${[...found, ...describeStatements(lookups)].join(', ')}`
  })
}

/** @param {string} transport @param {number} events */
export function describeOpen(transport, events) {
  if (events === 0) return `${transport}: connected, waiting for the first event.`
  return `${transport}: connected. Events: ${format(events)}, the last at ${new Date().toLocaleTimeString('en-GB')}.`
}

/** Why a subscription ended, and what to do now @param {string} transport @param {End} end @param {number} events */
export function describeEnd(transport, end, events) {
  return `${transport}: ${causeOf(transport, end)}${events > 0 ? ` Events received: ${format(events)}.` : ''}`
}

/** @param {string} transport @param {End} end */
function causeOf(transport, { state, code, reason = '', result }) {
  if (state === 'completed') return 'the server completed the subscription.'
  if (state === 'refused')
    return `refused${code ? ` with HTTP ${code}` : ''}. ${adviceOn(result?.errors ?? []) || 'The answer has the error.'}`
  if (state === 'unreachable' && transport === 'WebSocket')
    return `no connection. ${startServer} If it runs, it refused the connection: choose server-sent events to see the reason.`
  if (state === 'unreachable') return `no connection. ${startServer}`
  if (code === invalidToken) return `the token was refused. ${advice.UNAUTHENTICATED}`
  if (reason !== '') return `ended by the server. ${sentence(reason)} To subscribe again, run the operation again.`
  return 'the connection was lost. Start the server if it has stopped, then run the operation again.'
}

/** What to do about the first error that the user can do something about @param {Answer['errors']} errors */
function adviceOn(errors) {
  for (const { extensions: { code = '', retryAfterSeconds } = {} } of errors) {
    if (code === 'RATE_LIMITED')
      return `The budget is used up: run the operation again in ${retryAfterSeconds ?? 'some'} seconds.`
    const known = advice[code]
    if (known) return known
  }
  return ''
}

/** @type {Partial<Record<string, string>>} */
const advice = {
  UNAUTHENTICATED:
    'Enter a valid token in the tab Headers, {"authorization": "Bearer TOKEN"}, and run the operation again. For development, npm run token makes one.',
  FORBIDDEN: 'This token does not permit the operation: enter that of the owner or of an administrator in the tab Headers.',
  TOO_MANY_CONNECTIONS:
    'Too many subscriptions are open: stop one, for example in another tab of the browser, and run the operation again.',
  TOO_MANY_SUBSCRIPTIONS:
    'Too many subscriptions are open: stop one, for example in another tab of the browser, and run the operation again.',
  OVERLOADED: 'The server has too much to do: run the operation again in a few seconds.',
  SERVICE_UNAVAILABLE:
    'The database or the cache does not answer: run the operation again in a few seconds. The dashboard shows the state.',
  COST_LIMIT_EXCEEDED: 'Request smaller pages or fewer fields.',
}

/** @param {NonNullable<Answer['cost']>} cost */
function describeCost({ requested, maximum, remaining }) {
  const budget = remaining === undefined ? '' : `, ${format(remaining)} left in the budget`
  return `${format(requested)} of at most ${format(maximum)} points${budget}`
}

/** @param {Lookups[]} lookups */
function describeCache(lookups) {
  const total = (/** @type {keyof Lookups} */ name) => lookups.reduce((sum, counts) => sum + counts[name], 0)
  const hits = total('near') + total('far') + total('stale') + total('negative')
  const misses = total('miss')
  const statements = describeStatements({ statements: total('statements'), statementMs: total('statementMs') })
  if (hits + misses === 0) return ['no lookups', ...statements].join(', ')
  return [count(hits, 'hit'), count(misses, 'miss', 'misses'), ...statements].join(', ')
}

/** @param {Pick<Lookups, 'statements' | 'statementMs'>} lookups */
function describeStatements({ statements, statementMs }) {
  return statements > 0 ? [`${count(statements, 'SQL statement')} (${milliseconds(statementMs)})`] : []
}

/** @type {[keyof Lookups, string][]} */
const sources = [
  ['near', 'from the near store (memory of the server process)'],
  ['far', 'from the far store (Redis, if the server has one)'],
  ['stale', 'stale, refreshed in the background'],
  ['negative', 'known not to exist'],
  ['miss', 'missing in the cache, fetched from the database'],
]

/** @param {number} value */
function format(value) {
  return value.toLocaleString('en', { maximumFractionDigits: 2 })
}

/** @param {number} value */
function milliseconds(value) {
  return `${value.toLocaleString('en', { maximumSignificantDigits: 3 })} ms`
}

/** @param {number} value @param {string} singular @param {string} [plural] */
function count(value, singular, plural = `${singular}s`) {
  return `${format(value)} ${value === 1 ? singular : plural}`
}

/** @param {string} text */
function sentence(text) {
  return /[.!?]$/.test(text) ? text : `${text}.`
}

const startServer = 'Start the server if it has stopped, then run the operation again.'
/** Close code of a WebSocket whose token was refused */
const invalidToken = 4403
