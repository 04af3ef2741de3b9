/**
 * The line below GraphiQL about the last operation, and the list of where its fields came from.
 * @param {(selector: string) => HTMLElement} find
 */
export function createStatus(find) {
  let operations = 0
  const show = (/** @type {string} */ text, { isFailure = false } = {}, /** @type {string[]} */ sources = []) => {
    const line = find('#status')
    // Screen readers announce every assignment, so assign changes only.
    if (line.textContent !== text) line.textContent = text
    line.classList.toggle('failure', isFailure)
    find('#sources').hidden = sources.length === 0
    find('#sources ul').replaceChildren(
      ...sources.map((source) => Object.assign(document.createElement('li'), { textContent: source })),
    )
  }
  return {
    show,
    /**
     * Shows that an operation has started. Returns the function that shows its progress, which does nothing once a later operation has
     * started. @param {string} text @returns {typeof show}
     */
    start(text) {
      operations += 1
      const operation = operations
      show(text)
      return (...status) => {
        if (operation === operations) show(...status)
      }
    },
  }
}
