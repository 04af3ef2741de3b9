import { authorization } from './dashboard-access.js'
import { element } from './dashboard-dom.js'
import { longDuration } from './dashboard-format.js'

/** @typedef {import('cached-resolvers').InspectedEntries[number]} Entry */
/** @typedef {Entry['far']} Stored */

/** Meanings of the states that need one @type {Readonly<Record<string, string>>} */
const meanings = {
  stale: 'past its soft TTL, and served while it is refilled',
  leased: 'a process fetches the value',
  invalidated: 'not served; the next read replaces it',
  'other version': 'written by another version of the program, and not served',
  damaged: 'not served; the next read replaces it',
  unavailable: 'the cache server did not answer, or is not trusted',
}

/** The form that looks up an entry. @param {(selector: string) => HTMLElement} find */
export function createEntries(find) {
  const form = /** @type {HTMLFormElement} */ (find('#entries'))
  const select = /** @type {HTMLSelectElement} */ (find('#namespace'))
  const field = /** @type {HTMLInputElement} */ (find('#entry-id'))
  const found = find('#entries-found')
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const query = new URLSearchParams({ namespace: select.value, id: field.value.trim() })
    found.replaceChildren(
      ...(await lookUp(query).then(
        (entries) => entries.map(articleOf),
        (error) => [element('p', `Failed: ${error instanceof Error ? error.message : error}`, 'problem')],
      )),
    )
  })
  return {
    /** Fills in the form and submits it. @param {string} namespace @param {string} idOrList */
    lookUp(namespace, idOrList) {
      select.value = namespace
      field.value = idOrList
      form.requestSubmit()
      field.focus()
    },
    /** @param {readonly string[]} names */
    showNamespaces(names) {
      if (select.length === 0) select.append(...names.map((name) => new Option(name)))
    },
    clear() {
      found.replaceChildren()
    },
  }
}

/** @param {URLSearchParams} query @returns {Promise<Entry[]>} */
async function lookUp(query) {
  const response = await fetch(`/dashboard/entry?${query}`, { headers: { accept: 'application/json', ...authorization() } })
  const { entries, errors } = await response.json().catch(() => ({}))
  if (!entries) throw new Error(errors?.[0]?.message ?? `HTTP ${response.status}`)
  return entries
}

/** @param {Entry} entry */
function articleOf({ key, parameters, near, far }) {
  const article = element('article', '', 'entry')
  const title = element('h3', parameters ? pageTitle(parameters) : 'Entry')
  const keyLine = element('p', '', 'quiet')
  keyLine.append(element('code', key))
  article.append(title, keyLine, storeLine('Near', near ?? { state: 'absent' }), storeLine('Far', far))
  const content = near?.content ?? far.content
  if (content?.value === null) article.append(element('p', 'A negative entry: the value does not exist.'))
  else if (content) article.append(element('pre', JSON.stringify(content.value, null, 2)))
  return article
}

/** @param {Readonly<Record<string, unknown>>} parameters of a page or count of a list */
export function pageTitle({ count, size, from, after, before, sort, filter }) {
  const page = [`${from === 'end' ? 'Last' : 'First'} page of ${size}`]
  if (after != null) page.push(`after ${after}`)
  if (before != null) page.push(`before ${before}`)
  const what = count ? 'Count' : page.join(' ')
  return [what, ...(sort ? [`sorted by ${sort}`] : []), ...(filter ? [`filter ${filter}`] : [])].join(', ')
}

/** @param {string} name @param {Stored} stored */
function storeLine(name, { state, content }) {
  const line = element('p', `${name}: `)
  line.append(element('b', state))
  const meaning = meanings[state]
  if (meaning) line.append(`, ${meaning}`)
  if (content) {
    const { minAgeMs, maxAgeMs, freshForMs, keptForMs } = content
    const fresh = freshForMs > 0 ? `fresh for ${longDuration(freshForMs)}` : `stale for ${longDuration(freshForMs)}`
    line.append(
      `, ${longDuration(minAgeMs)} to ${longDuration(maxAgeMs)} old, ${fresh}, kept for ${longDuration(Math.max(0, keptForMs))}`,
    )
  }
  return line
}
