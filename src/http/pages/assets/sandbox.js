const target = document.querySelector('#sandbox')

if (window.EmbeddedSandbox) {
  const options = JSON.parse(target.dataset.options)
  target.replaceChildren()
  new window.EmbeddedSandbox({ ...options, initialEndpoint: new URL('/graphql', location.href).href })
} else {
  document.querySelector('#sandbox-state').innerHTML =
    'Apollo Sandbox could not be loaded: this browser cannot reach <code>embeddable-sandbox.cdn.apollographql.com</code>. ' +
    'Open <a href="/graphiql">GraphiQL</a> instead, which this server provides, or try again when you are online.'
}
