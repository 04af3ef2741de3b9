/** Escapes text for HTML, including attribute values. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

export interface Page {
  title: string
  /** HTML */
  body: string
  /** URLs of style sheets. Styles and scripts are never inline, so that the Content-Security-Policy can forbid inline code. */
  styles?: readonly string[]
  /** URLs */
  scripts?: readonly string[]
}

/** Returns a complete HTML document. Scripts run in order, after the document is parsed. */
export function renderPage({ title, body, styles = [], scripts = [] }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
${[stylePath, ...styles].map((url) => `<link rel="stylesheet" href="${escapeHtml(url)}">`).join('\n')}
${scripts.map((url) => `<script defer src="${escapeHtml(url)}"></script>`).join('\n')}
</head>
<body>
${body}
</body>
</html>
`
}

const stylePath = '/assets/pages.css'
