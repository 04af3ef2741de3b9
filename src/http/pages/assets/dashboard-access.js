const tokenKey = 'administrator-token'

/** Returns the authorization header if a token is stored. @returns {Record<string, string>} */
export function authorization() {
  const token = sessionStorage.getItem(tokenKey)
  return token ? { authorization: `Bearer ${token}` } : {}
}

/** The server refuses the metrics to this caller. */
export class AccessError extends Error {}

/**
 * The form for the token, which is shown only while the server refuses the metrics. `onToken` is called with each new token, or when
 * the token was forgotten.
 * @param {(selector: string) => HTMLElement} find
 * @param {() => void} onToken
 */
export function createAccess(find, onToken) {
  const field = /** @type {HTMLInputElement} */ (find('#token'))
  const section = find('#access')
  const forget = find('#forget')
  find('#access form').addEventListener('submit', (event) => {
    event.preventDefault()
    sessionStorage.setItem(tokenKey, field.value.trim())
    onToken()
  })
  forget.addEventListener('click', () => {
    sessionStorage.removeItem(tokenKey)
    onToken()
  })
  openMetricsWithToken(find('#metrics'))
  return {
    get isAsking() {
      return !section.hidden
    },
    /** Shows the form. A refused token is not kept. @param {string} reason why the token was refused */
    ask(reason) {
      const isRefusal = sessionStorage.getItem(tokenKey) !== null
      sessionStorage.removeItem(tokenKey)
      find('#access-problem').textContent = isRefusal ? reason : ''
      field.setAttribute('aria-invalid', String(isRefusal))
      section.hidden = false
      forget.hidden = true
      field.focus()
      field.select()
    },
    granted() {
      forget.hidden = sessionStorage.getItem(tokenKey) === null
      if (section.hidden) return
      section.hidden = true
      field.value = ''
      // The form had the focus.
      find('h1').focus()
    },
  }
}

/** A link cannot send a token. @param {HTMLElement} link */
function openMetricsWithToken(link) {
  link.addEventListener('click', async (event) => {
    const headers = authorization()
    if (!headers.authorization) return
    event.preventDefault()
    const response = await fetch('/metrics', { headers })
    const text = new Blob([await response.text()], { type: 'text/plain; charset=utf-8' })
    location.assign(URL.createObjectURL(text))
  })
}
