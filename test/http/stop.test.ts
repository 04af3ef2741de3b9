import { once } from 'node:events'
import { Server } from 'node:http'
import { connect } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { startTestApp } from '../helpers/app.js'

afterEach(() => vi.restoreAllMocks())

test('a connection that was opened in advance, and never used, does not delay the shutdown', async () => {
  const app = await startTestApp()
  const { hostname, port } = new URL(app.origin)
  const socket = connect(Number(port), hostname).resume()
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  // When this is answered, the server has accepted the connection that was opened before.
  await app.query('{ __typename }')
  const closeAll = vi.spyOn(Server.prototype, 'closeAllConnections')
  await app.stop()
  await closed
  expect(closeAll).not.toHaveBeenCalled()
})
