import { authorization } from './dashboard-access.js'

/**
 * Actions of administrators on the cache, each after a confirmation. `report` shows progress and the result.
 * @param {(selector: string) => HTMLElement} find
 * @param {(text: string) => void} report
 */
export function createActions(find, report) {
  /** @param {Action} action */
  const run = async (action) => {
    if (!(await confirm(find, action))) return
    report(`${action.label}: in progress`)
    report(await mutate(action).catch((error) => `Failed: ${error instanceof Error ? error.message : error}`))
  }
  return {
    /** @param {string} namespace */
    flush: (namespace) =>
      void run({
        label: 'Flush',
        question: `Flush ${namespace}?`,
        consequence:
          'All entries of this namespace are invalidated immediately, in all processes. The next reads go to the database.',
        document: 'mutation ($namespace: CacheNamespace!) { flushCache(namespace: $namespace) { namespace } }',
        variables: { namespace: namespace.toUpperCase().replaceAll('-', '_') },
        done: () => `${namespace} was flushed.`,
      }),
    warmUp: () =>
      void run({
        label: 'Warm up',
        question: 'Warm up the cache?',
        consequence: 'The newest 1,000 rows of each namespace are read from the database, unless they are already cached.',
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
  find('#confirm-button').textContent = label
  // Escape does not change returnValue, so it would keep the value of the previous dialog.
  dialog.returnValue = 'cancel'
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'confirm'), { once: true })
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
  if (errors) throw new Error(errors[0].message)
  return done(data)
}

/** @param {{ entries: number }[]} warmed */
function sum(warmed) {
  return warmed.reduce((total, { entries }) => total + entries, 0).toLocaleString('en')
}
