import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type BuiltServer, query, startBuiltServer, waitUntilReady } from '../helpers/built.js'
import { createDatabase, type TestDatabase } from '../helpers/database.js'

describe('with more requests than the server can answer', () => {
  let built: BuiltServer | undefined
  let database: TestDatabase
  afterEach(async () => {
    built?.child.kill('SIGTERM')
    await built?.exited
    await database.drop()
  })

  /** Each client sends the next request as soon as it has a response, on a keep-alive connection. */
  async function offer(url: string, durationMs: number) {
    const endAt = performance.now() + durationMs
    const answers: Answer[] = []
    const client = async (_: unknown, index: number) => {
      for (let count = 0; performance.now() < endAt; count += 1) {
        const startedAt = performance.now()
        const body = JSON.stringify({ query: expensive(`${durationMs}_${index}_${count}`) })
        const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        const text = await response.text()
        const retryAfter = response.headers.get('retry-after')
        answers.push({ status: response.status, ms: performance.now() - startedAt, retryAfter, text })
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
    return answers
  }

  async function measure(maxDelayMs: number) {
    built = startBuiltServer({ DATABASE_URL: database.url, LOG_LEVEL: 'warn', MAX_EVENT_LOOP_DELAY_MS: String(maxDelayMs) })
    const url = await waitUntilReady(built)
    // Lets the processes warm up, and the burst end
    await offer(url, 2_000)
    const before = await memoryOf(built)
    const answers = await offer(url, 3_000)
    const grownMb = (await memoryOf(built)) - before
    const health = await fetch(new URL('/health', url))
    const afterwards = await query(url, '{ product(id: "product_1") { id } }')
    const output = built.output()
    built.child.kill('SIGTERM')
    await built.exited
    return { answers, grownMb, health, afterwards, output }
  }

  test('some are refused early, so that the others are answered early; the server recovers by itself', async () => {
    database = await createDatabase()
    const unprotected = await measure(60_000)
    expect(statusesOf(unprotected.answers)).toEqual([200])

    const shed = await measure(20)
    expect(statusesOf(shed.answers)).toEqual([200, 503])
    expect(shed.answers.find(({ status }) => status === 503)).toMatchObject({
      retryAfter: '1',
      text: expect.stringContaining('"code":"OVERLOADED"'),
    })
    expect(medianOf(shed.answers, 200)).toBeLessThan(medianOf(unprotected.answers, 200) / 2)
    expect(medianOf(shed.answers, 503)).toBeLessThan(medianOf(unprotected.answers, 200) / 2)
    // Nearly all of this is heap that V8 reserves for garbage.
    expect(shed.grownMb).toBeLessThan(400)
    expect(shed.health.status).toBe(200)
    expect(shed.afterwards.data).toEqual({ product: { id: 'product_1' } })
    expect(shed.output).toContain('Requests were refused')
    expect(unprotected.output).not.toContain('Requests were refused')
  })
})

const clients = 60

interface Answer {
  status: number
  ms: number
  retryAfter: string | null
  text: string
}

function statusesOf(answers: readonly Answer[]): number[] {
  return [...new Set(answers.map(({ status }) => status))].sort()
}

/** Resident set size in megabytes */
async function memoryOf({ child }: BuiltServer): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

function medianOf(answers: readonly Answer[], status: number): number {
  const sorted = answers.filter((answer) => answer.status === status).map(({ ms }) => ms)
  return sorted.sort((a, b) => a - b)[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** A new document that is expensive to parse and validate, with a short response */
function expensive(name: string): string {
  return `# ${name}\n{ product(id: "product_1") { ${'id name price '.repeat(150)} } }`
}
