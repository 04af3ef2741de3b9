import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { mintToken } from '../../src/platform/auth/mint-token.js'
import { post } from '../post.js'
import type { Period } from './period.js'

interface HonestOptions {
  port: number
  /** Signs the tokens */
  secret: string
  /** Returns the current period, to which results are added. */
  period: () => Period
  isRunning: () => boolean
}

const customers = 4
const pauseMs = 25
const eventTimeoutMs = 5_000
const roundsPerConnection = 20
const queries = [
  'query Order($id: ID!) { order(id: $id) { id total user { name } products { name price } } }',
  'query Product($product: ID!) { product(id: $product) { id name price stock } }',
  'query Newest { products(first: 20) { nodes { id name price } pageInfo { hasNextPage endCursor } } }',
  'query Mine($user: ID!) { user(id: $user) { name orders(first: 5) { nodes { id total } } } }',
]
const order = `mutation Buy($input: CreateOrderInput!, $key: String) {
  createOrder(idempotencyKey: $key, input: $input) { order { id } userErrors { message } }
}`

/** Runs customers with separate addresses: they read, sometimes order, and one subscribes to the stock of a product. */
export async function runHonest(options: HonestOptions): Promise<void> {
  const numbers = Array.from({ length: customers }, (_, index) => index + 1)
  await Promise.all([...numbers.map((number) => shop(options, number)), follow(options)])
}

async function shop({ port, secret, period, isRunning }: HonestOptions, number: number): Promise<void> {
  const userId = `user_${number}`
  const token = await mintToken({ secret, issuer: undefined, audience: undefined, role: 'customer', userId, expiresIn: '1d' })
  const headers = { authorization: `Bearer ${token}` }
  const connect = () => new Agent({ keepAlive: true, maxSockets: 1, localAddress: `127.0.1.${number}` } as object)
  let agent = connect()
  for (let round = 0; isRunning(); round += 1) {
    if (round % roundsPerConnection === 0) {
      agent.destroy()
      agent = connect()
    }
    const products = [`product_${1 + ((number * 7 + round) % 100)}`]
    const ids = { id: `order_${1 + ((number + round) % 250)}`, product: products[0], user: userId }
    const isOrder = round % 10 === 9
    const variables = isOrder ? { input: { userId, productIds: products }, key: `${number} ${round}` } : ids
    const query = isOrder ? order : queries[round % queries.length]
    const startedAt = performance.now()
    try {
      const { status, body } = await post(agent, port, JSON.stringify({ query, variables }), headers)
      period().answeredMs.push(performance.now() - startedAt)
      if (status !== 200 || body.includes('"errors":'))
        period().failures.add(`status ${status} ${/"code":"(\w+)"/.exec(body)?.[1] ?? body.slice(0, 100)}`)
    } catch (error) {
      period().answeredMs.push(performance.now() - startedAt)
      period().failures.add((error as Error).message)
    }
    await sleep(pauseMs)
  }
  agent.destroy()
}

/** Repeatedly subscribes and waits for the first event. */
async function follow({ port, period, isRunning }: HonestOptions): Promise<void> {
  while (isRunning()) {
    const outcome = await nextEvent(port)
    period().subscriptions += 1
    if (outcome !== 'event') period().failures.add(`subscription: ${outcome}`)
    await sleep(500)
  }
}

function nextEvent(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', { localAddress: '127.0.1.100' })
    const end = (outcome: string) => {
      clearTimeout(timer)
      socket.terminate()
      resolve(outcome)
    }
    const timer = setTimeout(() => end('no event in time'), eventTimeoutMs)
    const query = 'subscription { productChanged(ids: ["product_1"]) { product { stock } } }'
    socket.on('open', () => socket.send('{"type":"connection_init"}'))
    socket.on('message', (message) => {
      const { type, payload } = JSON.parse(String(message))
      if (type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
      else if (type === 'next' && payload.data) end('event')
      else if (type !== 'ping') end(String(message).slice(0, 200))
    })
    socket.on('error', ({ message }) => end(message))
    socket.on('close', (code) => end(`closed with ${code}`))
  })
}
