/**
 * Adds GraphiQL's history plugin to the page of GraphQL Yoga. The script of Yoga contains the plugin, but neither lists nor exports it, so
 * this adds its name to the list of plugins in the minified script. Throws if the script, after an update of the package, has no such
 * list.
 */
export function addHistoryPlugin(script: string): string {
  const plugin = /([\w$]+)=\{title:"History",/.exec(script)?.[1]
  const list = /(?<=\bplugins:\[)[\w$]+(?=\])/
  if (plugin === undefined || !list.test(script))
    throw new Error('The history plugin cannot be added to GraphiQL: @graphql-yoga/render-graphiql has changed')
  return script.replace(list, (explorer) => `${plugin},${explorer}`)
}
