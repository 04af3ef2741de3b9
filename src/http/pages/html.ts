/** Text for HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export interface Page {
  title: string
  /** HTML */
  body: string
  /** Addresses; nothing is inline, so that a Content-Security-Policy need not allow it. */
  styles?: readonly string[]
  scripts?: readonly string[]
}

/** A whole document. Scripts run in order, once all of it is there. */
export function renderPage({ title, body, styles = [], scripts = [] }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
${[stylePath, ...styles].map((address) => `<link rel="stylesheet" href="${escapeHtml(address)}">`).join('\n')}
${scripts.map((address) => `<script defer src="${escapeHtml(address)}"></script>`).join('\n')}
</head>
<body>
${body}
</body>
</html>
`
}

const stylePath = '/assets/pages.css'
