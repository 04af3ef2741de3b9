import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** Calls back once, when a response that owns its connection has been sent, or its connection was closed. */
export function onResponseClosed(response: ServerResponse, callback: () => void): void {
  if (response.req.socket.destroyed) callback()
  else response.once('close', callback)
}

/** Calls back when no response is in progress on a connection any more; never if it is closed first. */
export function onConnectionIdle(socket: Duplex, callback: () => void): void {
  if (socket.destroyed) return
  const response = currentResponse(socket)
  if (response) response.once('close', () => onConnectionIdle(socket, callback))
  else callback()
}

/** The response in progress on a connection; undefined while it waits for a request. */
export function currentResponse(socket: Duplex): ServerResponse | undefined {
  // Internal to Node: no public API returns it.
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}
