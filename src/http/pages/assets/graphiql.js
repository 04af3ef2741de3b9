import { sendOperation } from './graphiql-requests.js'
import { createStatus } from './graphiql-status.js'
import { storage } from './graphiql-storage.js'
import { subscribeByEventStream, subscribeByWebSocket } from './graphiql-subscriptions.js'
import { describeAnswer, describeEnd, describeOpen, describeSources, isSuccess } from './graphiql-text.js'

/** @typedef {{ query: string, operationName?: string | null, variables?: Record<string, unknown> }} Operation */
/** @typedef {Record<string, string>} Headers The entries of the tab "Headers" */
/** @typedef {{ next: (result: object) => void, complete: () => void }} Observer */

const transports = {
  'event-stream': { name: 'Server-sent events', subscribe: subscribeByEventStream },
  'web-socket': { name: 'WebSocket', subscribe: subscribeByWebSocket },
}
const transportKey = 'graphiql:subscriptionTransport'

/** @type {(selector: string) => HTMLElement} */
const find = (selector) => /** @type {HTMLElement} */ (document.querySelector(selector))

const choice = /** @type {HTMLSelectElement} */ (find('#transport'))
const status = createStatus(find)
restoreTransport()

const target = find('#graphiql')
Object.assign(window, {
  MonacoEnvironment: {
    globalAPI: false,
    getWorkerUrl: (/** @type {string} */ _, /** @type {string} */ label) => `/assets/graphiql/${label}.js`,
  },
})
// @ts-expect-error: graphiql/graphiql.js defines this global.
window.YogaGraphiQL.renderYogaGraphiQL(target, {
  ...JSON.parse(target.dataset.options ?? ''),
  // Variables and headers. In one column, they would take the space of the response.
  defaultEditorToolsVisibility: !matchMedia('(max-width: 45rem)').matches,
  fetcher,
  storage,
})

/**
 * Sends the operations of GraphiQL, which calls this with the entries of the tab "Headers". Returns a promise of the result, or an
 * observable of the results of a subscription. Throws, and GraphiQL shows the error, if the headers cannot be sent.
 * @param {Operation} operation
 * @param {{ headers?: Headers }} [options]
 */
function fetcher(operation, { headers = {} } = {}) {
  try {
    new Headers(headers)
  } catch (error) {
    status.show(`Correct the tab Headers: ${error instanceof Error ? error.message : error}.`, { isFailure: true })
    throw error
  }
  return isSubscription(operation) ? observe(operation, headers) : send(operation, headers)
}

/**
 * Reads the text, because GraphiQL parses it some time after each change: the operation may have been run before.
 * @param {Operation} operation
 */
function isSubscription({ query, operationName }) {
  let text = query.replaceAll(/"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|#.*/g, '')
  // What remains outside of selections and arguments are the definitions.
  for (let nested = ''; nested !== text; ) {
    nested = text
    text = text.replaceAll(/\{[^{}]*\}|\([^()]*\)/g, ' ')
  }
  const operations = [...text.matchAll(/\b(query|mutation|subscription|fragment)\b\s*(\w*)/g)].filter(
    ([, type]) => type !== 'fragment',
  )
  const chosen = operations.find(([, , name]) => name === operationName) ?? operations[0]
  return chosen?.[1] === 'subscription'
}

/** @param {Operation} operation @param {Headers} headers */
async function send(operation, headers) {
  const isIntrospection = operation.operationName === 'IntrospectionQuery'
  const show = isIntrospection ? status.show : status.start('Sent, waiting for the answer.')
  const answer = await sendOperation(operation, headers)
  // GraphiQL loads the schema by itself: only a failure is of interest.
  if (!isIntrospection || !isSuccess(answer))
    show(describeAnswer(answer), { isFailure: !isSuccess(answer) }, describeSources(answer))
  return answer.result
}

/** @param {Operation} operation @param {Headers} headers */
function observe(operation, headers) {
  const { name, subscribe } = transports[selectedTransport()]
  return {
    /** @param {Observer} observer */
    subscribe(observer) {
      const show = status.start(`${name}: connecting.`)
      let events = 0
      let isStopped = false
      const stop = subscribe(operation, headers, {
        opened: () => show(describeOpen(name, events)),
        event(result) {
          events += 1
          show(describeOpen(name, events))
          observer.next(result)
        },
        ended(end) {
          // Stopping a subscription ends it too.
          if (isStopped) return
          const text = describeEnd(name, end, events)
          show(text, { isFailure: end.state !== 'completed' })
          // The last event stays visible.
          if (events === 0) observer.next(end.result ?? { errors: [{ message: text }] })
          observer.complete()
        },
      })
      return {
        unsubscribe() {
          isStopped = true
          stop()
          show(`${name}: stopped. Events received: ${events}.`)
        },
      }
    },
  }
}

function restoreTransport() {
  const stored = localStorage.getItem(transportKey)
  if (stored !== null && stored in transports) choice.value = stored
  choice.addEventListener('change', () => localStorage.setItem(transportKey, choice.value))
}

function selectedTransport() {
  return /** @type {keyof typeof transports} */ (choice.value)
}
