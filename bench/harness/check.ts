import type { Database } from '../../src/platform/database/connection.js'
import type { Random } from '../../torture/random.js'
import { Client } from './client.js'
import { expectedAnswer } from './expected-answer.js'
import { type QueryName, queryIds, requestBody } from './queries.js'
import type { RunningServer } from './servers.js'

export interface Sample {
  query: QueryName
  id: string
  body: string
  expected: string
}

/** Draws random ids, and one per query that does not exist, with the answers expected from the database. */
export async function drawSamples(
  database: Database,
  random: Random,
  queries: readonly QueryName[],
  { count, quick, withStock = false }: { count: number; quick: boolean; withStock?: boolean },
): Promise<Sample[]> {
  const chosen = queries.flatMap((query) => {
    const ids = queryIds(query, quick)
    const unknown = (ids[0] as string).replace(/\d+$/, '99999999')
    return [unknown, ...Array.from({ length: count }, () => random.pick(ids))].map((id) => ({ query, id }))
  })
  return Promise.all(
    chosen.map(async ({ query, id }) => ({
      ...{ query, id, body: requestBody(query, id, { withStock }) },
      expected: await expectedAnswer(database, query, id, { withStock }),
    })),
  )
}

/**
 * Compares the answers, parsed and serialized again, with the expected ones, including the order of fields. Throws at the first
 * difference.
 */
export async function checkAnswers({ name, url }: RunningServer, samples: readonly Sample[]): Promise<void> {
  const client = new Client(url, 10)
  await client.postAll(
    samples.map(({ body }) => body),
    (index, { status, text }) => {
      const { query, id, expected } = samples[index] as Sample
      if (status === 200 && reserialize(text) === expected) return
      throw new Error(
        `${name} answers ${query} for ${id} with status ${status}:\n${text.slice(0, 1_000)}\nExpected:\n${expected}`,
      )
    },
  )
  client.close()
}

function reserialize(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}
