import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Calls back once, when a response that was begun has been sent, or was cut off with its connection. */
export function onResponseClosed(response: ServerResponse, callback: () => void): void {
  if (response.req.socket.destroyed) callback()
  else response.once('close', callback)
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
