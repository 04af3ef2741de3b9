import { readJson, withHeaders } from './graphiql-requests.js'

/** @typedef {import('./graphiql.js').Operation} Operation */
/** @typedef {import('./graphiql.js').Headers} Headers */
/**
 * @typedef {object} Sink
 * @property {() => void} opened The server has accepted the connection.
 * @property {(result: object) => void} event
 * @property {(end: End) => void} ended Called once
 */
/**
 * @typedef {object} End How a subscription ended:
 * completed by the server; refused (`result` has the errors); closed by the server or a lost connection (`reason` is the server's, or
 * empty); unreachable: no connection was made.
 * @property {'completed' | 'refused' | 'closed' | 'unreachable'} state
 * @property {{ errors: { extensions?: { code?: string, retryAfterSeconds?: number } }[] }} [result]
 * @property {number} [code] HTTP status, or close code of the WebSocket
 * @property {string} [reason]
 */

/**
 * Subscribes over server-sent events. Not with EventSource, which cannot send headers, and hides the reason of a refusal.
 * @param {Operation} operation @param {Headers} headers @param {Sink} sink
 * @returns {() => void} Ends the subscription.
 */
export function subscribeByEventStream(operation, headers, sink) {
  const stopped = new AbortController()
  void readEventStream(operation, headers, sink, stopped.signal).then(sink.ended)
  return () => stopped.abort()
}

/** @param {Operation} operation @param {Headers} headers @param {Sink} sink @param {AbortSignal} signal @returns {Promise<End>} */
async function readEventStream(operation, headers, sink, signal) {
  /** @type {Response} */
  let response
  try {
    const init = { method: 'POST', headers: withHeaders({}, headers), body: JSON.stringify(operation), signal }
    response = await fetch('/graphql/stream', init)
  } catch (error) {
    return { state: 'unreachable', reason: String(error) }
  }
  if (!response.ok || !response.body) return { state: 'refused', code: response.status, result: await readJson(response) }
  sink.opened()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let unread = ''
  let reason = ''
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true, value: '' }))
    if (done) return { state: 'closed', reason }
    const blocks = (unread + value).split('\n\n')
    unread = blocks.pop() ?? ''
    for (const block of blocks) {
      // Before the server ends a stream, it sends the reason as a comment. Other comments: "open", and empty ones as heartbeats.
      reason = block.startsWith(': ') && block !== ': open' ? block.slice(2) : ''
      if (block.startsWith('event: next\ndata: ')) sink.event(JSON.parse(block.slice('event: next\ndata: '.length)))
      else if (block.startsWith('event: complete')) return { state: 'completed' }
    }
  }
}

/**
 * Subscribes over a WebSocket of its own, with the protocol graphql-transport-ws. Browsers cannot set headers of a WebSocket, so the
 * headers are sent as connection parameters, where the server looks for `authorization`.
 * @param {Operation} operation @param {Headers} headers @param {Sink} sink
 * @returns {() => void} Ends the subscription.
 */
export function subscribeByWebSocket(operation, headers, sink) {
  const url = new URL('/graphql', location.href)
  url.protocol = url.protocol.replace('http', 'ws')
  const socket = new WebSocket(url, 'graphql-transport-ws')
  const send = (/** @type {object} */ message) => socket.send(JSON.stringify(message))
  let isOpen = false
  let hasEnded = false
  const end = (/** @type {End} */ how) => {
    if (hasEnded) return
    hasEnded = true
    socket.close()
    sink.ended(how)
  }
  socket.addEventListener('open', () => {
    isOpen = true
    send({ type: 'connection_init', payload: headers })
  })
  socket.addEventListener('message', ({ data }) => {
    const { type, payload } = JSON.parse(data)
    if (type === 'connection_ack') {
      send({ type: 'subscribe', id: '1', payload: operation })
      sink.opened()
    } else if (type === 'ping') send({ type: 'pong' })
    else if (type === 'next') sink.event(payload)
    else if (type === 'error') end({ state: 'refused', result: { errors: payload } })
    else if (type === 'complete') end({ state: 'completed' })
  })
  socket.addEventListener('close', ({ code, reason }) =>
    end(isOpen ? { state: 'closed', code, reason } : { state: 'unreachable' }),
  )
  return () => end({ state: 'completed' })
}
