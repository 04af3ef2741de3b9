import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { mintToken } from '../../src/platform/auth/mint-token.js'
import { post } from '../post.js'
import type { Span } from './span.js'

interface HonestOptions {
  port: number
  /** Of the tokens */
  secret: string
  /** What is seen belongs to the span that is the present one at that time. */
  span: () => Span
  goesOn: () => boolean
}

const customers = 4
const pauseMs = 25
const eventPatienceMs = 5_000
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

/** Customers of a shop, each at an address of its own: they read, they order now and then, and one follows the stock of a product. */
export async function runHonest(options: HonestOptions): Promise<void> {
  const numbers = Array.from({ length: customers }, (_, index) => index + 1)
  await Promise.all([...numbers.map((number) => shop(options, number)), follow(options)])
}

async function shop({ port, secret, span, goesOn }: HonestOptions, number: number): Promise<void> {
  const userId = `user_${number}`
  const token = await mintToken({ secret, issuer: undefined, audience: undefined, role: 'customer', userId, expiresIn: '1d' })
  const headers = { authorization: `Bearer ${token}` }
  const connect = () => new Agent({ keepAlive: true, maxSockets: 1, localAddress: `127.0.1.${number}` } as object)
  let agent = connect()
  for (let round = 0; goesOn(); round += 1) {
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
      span().answeredMs.push(performance.now() - startedAt)
      if (status !== 200 || body.includes('"errors":'))
        span().failures.add(`status ${status} ${/"code":"(\w+)"/.exec(body)?.[1] ?? body.slice(0, 100)}`)
    } catch (error) {
      span().answeredMs.push(performance.now() - startedAt)
      span().failures.add((error as Error).message)
    }
    await sleep(pauseMs)
  }
  agent.destroy()
}

/** Each subscription is a new one, and is over with its first event. */
async function follow({ port, span, goesOn }: HonestOptions): Promise<void> {
  while (goesOn()) {
    const outcome = await nextEvent(port)
    span().subscriptions += 1
    if (outcome !== 'event') span().failures.add(`subscription: ${outcome}`)
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
    const timer = setTimeout(() => end('no event in time'), eventPatienceMs)
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
