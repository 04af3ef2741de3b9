/**
 * Where GraphiQL stores its tabs, history and settings. The history contains the headers of each operation, which may contain tokens:
 * they are not written to the disk.
 */
export const storage = {
  getItem: (/** @type {string} */ key) => localStorage.getItem(key),
  setItem: (/** @type {string} */ key, /** @type {string} */ value) =>
    localStorage.setItem(key, historyKeys.includes(key) ? withoutHeaders(value) : value),
  removeItem: (/** @type {string} */ key) => localStorage.removeItem(key),
  clear() {
    for (const key of storedKeys()) localStorage.removeItem(key)
  },
  get length() {
    return storedKeys().length
  },
}

const historyKeys = ['graphiql:queries', 'graphiql:favorites']

function storedKeys() {
  return Object.keys(localStorage).filter((key) => key.startsWith('graphiql:'))
}

/** @param {string} json */
function withoutHeaders(json) {
  return JSON.stringify(JSON.parse(json), (key, value) => (key === 'headers' ? undefined : value))
}
