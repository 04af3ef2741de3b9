import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

const waiting = new WeakMap<Socket, Set<() => void>>()

/**
 * Calls back once, when a response has been sent, or was cut off with its connection. A response that is queued behind another on its
 * connection (pipelining) emits no 'close' itself when the connection ends.
 */
export function onResponseClosed(response: ServerResponse, callback: () => void): void {
  const { socket } = response.req
  if (socket.destroyed) {
    callback()
    return
  }
  const callbacks = waiting.get(socket) ?? watch(socket)
  // The same function may be given for several responses.
  const once = () => callback()
  callbacks.add(once)
  response.once('close', () => {
    if (callbacks.delete(once)) callback()
  })
}

/** Calls back when everything that was asked before on a connection has been answered; never, where it ends first. */
export function whenAnswered(socket: Duplex, callback: () => void): void {
  if (socket.destroyed) return
  const response = responseOn(socket)
  if (response) response.once('close', () => whenAnswered(socket, callback))
  else callback()
}

/** The one that a connection is for now; undefined where it waits for a request. */
export function responseOn(socket: Duplex): ServerResponse | undefined {
  // By node, which has no better name for it.
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}

function watch(socket: Socket): Set<() => void> {
  const callbacks = new Set<() => void>()
  waiting.set(socket, callbacks)
  socket.once('close', () => {
    for (const callback of callbacks) callback()
    callbacks.clear()
  })
  return callbacks
}
