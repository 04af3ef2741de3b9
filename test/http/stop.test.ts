import { once } from 'node:events'
import { Server } from 'node:http'
import { connect } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { startTestApp } from '../helpers/app.js'

afterEach(() => vi.restoreAllMocks())

test('a connection that was opened in advance, and on which nothing was sent, does not hold up the stop', async () => {
  const app = await startTestApp()
  const { hostname, port } = new URL(app.origin)
  const socket = connect(Number(port), hostname).resume()
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  // By the time it is answered, the connection before it has been taken.
  await app.query('{ __typename }')
  const cutOff = vi.spyOn(Server.prototype, 'closeAllConnections')
  await app.stop()
  await closed
  expect(cutOff).not.toHaveBeenCalled()
})
