import type { ApolloServerPlugin } from '@apollo/server'
import { escapeHtml, renderPage } from './html.js'
import { commented, starterOperations } from './starter-operations.js'

/**
 * Apollo Sandbox, for a browser that opens /graphql. Unlike Apollo's own plugin it tells what to do where Apollo's servers cannot be
 * reached: the line on top is there whatever else is, also where the frame stays empty.
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
/** Where the frame that it opens comes from */
export const sandboxFrame = 'https://sandbox.embed.apollographql.com'

/** One document for all operations: Sandbox cannot be opened with several tabs. */
const options = {
  target: '#sandbox',
  endpointIsEditable: false,
  hideCookieToggle: true,
  runTelemetry: false,
  allowDynamicStyles: false,
  initialState: {
    document: starterOperations.map(commented).join('\n'),
    pollForSchemaUpdates: false,
  },
}

const body = `<div class="explorer">
<header>
<a href="/">Home</a>
<p>Apollo Sandbox comes from Apollo's servers. Nothing below? <a href="/graphiql">GraphiQL</a> works without internet.</p>
</header>
<main id="sandbox" data-options="${escapeHtml(JSON.stringify(options))}">
<div class="notice" role="status">
<p id="sandbox-state">Loading Apollo Sandbox from <code>embeddable-sandbox.cdn.apollographql.com</code>.</p>
<noscript><p>It needs JavaScript, which is off in this browser.</p></noscript>
</div>
</main>
</div>`
