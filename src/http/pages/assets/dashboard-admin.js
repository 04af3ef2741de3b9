const tokenKey = 'administrator-token'

/** As headers, where there is one @returns {Record<string, string>} */
export function authorization() {
  const token = sessionStorage.getItem(tokenKey)
  return token ? { authorization: `Bearer ${token}` } : {}
}

/** @param {(selector: string) => HTMLElement} find @param {() => void} changed */
export function createAccess(find, changed) {
  const field = /** @type {HTMLInputElement} */ (find('#token'))
  field.value = sessionStorage.getItem(tokenKey) ?? ''
  find('#access').addEventListener('submit', (event) => {
    event.preventDefault()
    if (field.value.trim() === '') sessionStorage.removeItem(tokenKey)
    else sessionStorage.setItem(tokenKey, field.value.trim())
    changed()
  })
}

/**
 * What administrators do to the cache, each after a confirmation. What came of it is shown by `report`.
 * @param {(selector: string) => HTMLElement} find
 * @param {(text: string) => void} report
 */
export function createActions(find, report) {
  /** @param {Action} action */
  const run = async (action) => {
    if (!(await confirm(find, action))) return
    report(`${action.label}: under way`)
    report(await mutate(action).catch((error) => `Not done: ${error instanceof Error ? error.message : error}`))
  }
  return {
    /** @param {string} namespace */
    flush: (namespace) =>
      void run({
        label: 'Flush',
        question: `Flush ${namespace}?`,
        consequence: 'All its entries are unreadable at once, in all processes; the next reads come from the database.',
        document: 'mutation ($namespace: CacheNamespace!) { flushCache(namespace: $namespace) { namespace } }',
        variables: { namespace: namespace.toUpperCase().replaceAll('-', '_') },
        done: () => `${namespace} was flushed.`,
      }),
    warmUp: () =>
      void run({
        label: 'Warm up',
        question: 'Warm up the cache?',
        consequence: 'The newest 1,000 of each namespace are read from the database, unless the cache holds them.',
        document: 'mutation { warmUpCache { warmed { namespace entries } } }',
        variables: {},
        done: ({ warmUpCache }) => `The cache now holds ${sum(warmUpCache.warmed)} of the newest entries.`,
      }),
  }
}

/** @typedef {{ label: string, question: string, consequence: string, document: string, variables: object, done: (data: any) => string }} Action */

/** @param {(selector: string) => HTMLElement} find @param {Action} action @returns {Promise<boolean>} */
function confirm(find, { label, question, consequence }) {
  const dialog = /** @type {HTMLDialogElement} */ (find('#confirm'))
  find('#question').textContent = question
  find('#consequence').textContent = consequence
  find('#go').textContent = label
  // Escape leaves it as it was the last time.
  dialog.returnValue = 'cancel'
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'go'), { once: true })
  })
}

/** @param {Action} action */
async function mutate({ document, variables, done }) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', ...authorization() },
    body: JSON.stringify({ query: document, variables }),
  })
  const { data, errors } = await response.json().catch(() => ({ errors: [{ message: `HTTP ${response.status}` }] }))
  if (errors) throw new Error(`${errors[0].message}${advice(errors[0].extensions?.code)}`)
  return done(data)
}

/** @param {string | undefined} code */
function advice(code) {
  return code === 'UNAUTHENTICATED' || code === 'FORBIDDEN' ? '. Paste an administrator’s token below.' : ''
}

/** @param {{ entries: number }[]} warmed */
function sum(warmed) {
  return warmed.reduce((total, { entries }) => total + entries, 0).toLocaleString('en')
}
