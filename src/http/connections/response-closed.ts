import type { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Calls back once, when the response has been sent or its connection has been closed. The response must own the connection (see
 * PipelinedRequests).
 */
export function onResponseClosed(response: ServerResponse, callback: () => void): void {
  if (response.req.socket.destroyed) callback()
  else response.once('close', callback)
}

/** Calls back when no response is in progress on a connection. Never calls back if the connection is closed first. */
export function onConnectionIdle(socket: Duplex, callback: () => void): void {
  if (socket.destroyed) return
  const response = currentResponse(socket)
  if (response) response.once('close', () => onConnectionIdle(socket, callback))
  else callback()
}

/** Returns the response in progress on a connection, or undefined while the connection is waiting for a request. */
export function currentResponse(socket: Duplex): ServerResponse | undefined {
  // Node has no public API that returns the response of a socket, so this function reads an internal property.
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined
}
