const target = document.querySelector('#graphiql')

window.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_, label) => `/assets/graphiql/${label}.js`,
}
window.YogaGraphiQL.renderYogaGraphiQL(target, JSON.parse(target.dataset.options))
