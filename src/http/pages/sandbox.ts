import type { ApolloServerPlugin } from '@apollo/server'
import { escapeHtml, renderPage } from './html.js'
import { starterOperations, withComment } from './starter-operations.js'

/**
 * Serves Apollo Sandbox to browsers that open /graphql. Unlike the page of Apollo's own plugin, this page explains what to do if
 * Apollo's servers cannot be reached: the page's header is visible even if the frame stays empty.
 */
export function sandboxPage(): ApolloServerPlugin {
  const html = renderPage({ title: 'Apollo Sandbox', body, scripts: [sandboxEmbed, '/assets/sandbox.js'] })
  return {
    async serverWillStart() {
      return { renderLandingPage: async () => ({ html }) }
    },
  }
}

export const sandboxEmbed = 'https://embeddable-sandbox.cdn.apollographql.com/v2/embeddable-sandbox.umd.production.min.js'
/** Origin of the frame that Sandbox opens */
export const sandboxFrame = 'https://sandbox.embed.apollographql.com'

/** Sandbox cannot open several tabs, so one document contains all operations. */
const options = {
  target: '#sandbox',
  endpointIsEditable: false,
  hideCookieToggle: true,
  runTelemetry: false,
  allowDynamicStyles: false,
  initialState: {
    document: starterOperations.map(withComment).join('\n'),
    pollForSchemaUpdates: false,
  },
}

const body = `<div class="explorer">
<header>
<a href="/">Home</a>
<p>Apollo Sandbox is loaded from Apollo's servers. If the area below stays empty, use <a href="/graphiql">GraphiQL</a>, which works without internet access.</p>
</header>
<main id="sandbox" data-options="${escapeHtml(JSON.stringify(options))}">
<div class="notice" role="status">
<p id="sandbox-state">Loading Apollo Sandbox from <code>embeddable-sandbox.cdn.apollographql.com</code>.</p>
<noscript><p>Apollo Sandbox needs JavaScript, which is disabled in this browser.</p></noscript>
</div>
</main>
</div>`
