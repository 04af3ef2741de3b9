import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stallThread } from '../../../../test/helpers/stall-thread.js'
import { startDeadline, withDeadline } from '../../src/cache/deadline.js'
import { destroyOnResponseTimeout } from '../../src/cache/response-timeout.js'

/** An echo server in its own thread, so that it answers while this thread is stalled. It does not answer to 'silence'. */
const echoServer = `
  const { createServer } = require('node:net')
  const { parentPort } = require('node:worker_threads')
  const server = createServer((socket) => socket.on('data', (data) => data.toString() !== 'silence' && socket.write(data)))
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`

const expired = () => new Error('expired')

let worker: Worker
let socket: Socket
beforeAll(async () => {
  worker = new Worker(echoServer, { eval: true })
  const [port] = await once(worker, 'message')
  socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
})
afterAll(async () => {
  socket.destroy()
  await worker.terminate()
})

describe('a deadline', () => {
  test('accepts an answer that arrived while the process was stalled', async () => {
    const answer = once(socket, 'data')
    socket.write('in time')
    const result = withDeadline(answer, 20, expired)
    stallThread(200)
    expect(String(await result)).toBe('in time')
  })

  test('is extended by the time that the process was stalled', async () => {
    const answer = once(socket, 'data')
    const result = withDeadline(answer, 20, expired)
    stallThread(1_000)
    // As if the stall had delayed the request
    setImmediate(() => socket.write('extended'))
    expect(String(await result)).toBe('extended')
  })

  test('expires if there is no answer, stalled or not', async () => {
    const none = new Promise<never>(() => {})
    await expect(withDeadline(none, 5, expired)).rejects.toThrow('expired')
    const result = withDeadline(none, 5, expired)
    stallThread(50)
    await expect(result).rejects.toThrow('expired')
  })

  test('that is cancelled does not expire, even if it was due', async () => {
    let calls = 0
    const deadlines = [1, 1].map((ms) => startDeadline(ms, () => (calls += 1)))
    stallThread(50)
    for (const deadline of deadlines) deadline.cancel()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(calls).toBe(0)
  })
})

describe('a connection with a response timeout', () => {
  async function open(timeoutMs: number, unansweredSince?: number): Promise<Socket> {
    const { remotePort } = socket
    const watched = connect(remotePort as number, '127.0.0.1')
    await once(watched, 'connect')
    destroyOnResponseTimeout(watched, timeoutMs, unansweredSince)
    return watched
  }

  test('stays open if the answer arrived during a stall', async () => {
    const watched = await open(300)
    const answer = once(watched, 'data')
    watched.write('an answer')
    stallThread(1_000)
    await answer
    // By then, both checks that were due have run.
    await new Promise((resolve) => setTimeout(resolve, 600))
    expect(watched.destroyed).toBe(false)
    watched.destroy()
  })

  test('is destroyed if data sent before the timeout was set up is not answered', async () => {
    const watched = await open(300, performance.now())
    const [error] = await once(watched, 'error')
    expect(error).toMatchObject({ code: 'ETIMEDOUT' })
  })

  test('is destroyed with an error if there is no answer', async () => {
    const watched = await open(300)
    watched.write('silence')
    const [error] = await once(watched, 'error')
    expect(error).toMatchObject({ code: 'ETIMEDOUT' })
  })
})
