/** Creates an element. @param {string} name @param {string} [text] @param {string} [className] */
export function element(name, text = '', className = '') {
  const created = document.createElement(name)
  created.textContent = text
  if (className) created.className = className
  return created
}

/** Screen readers announce every assignment to a live region, so this assigns changes only. @param {HTMLElement} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}
