import type { Database } from '../../src/platform/database/connection.js'
import type { Random } from '../../torture/random.js'
import { Client } from './client.js'
import { askedIds, type QueryName, requestBody } from './queries.js'
import type { RunningServer } from './servers.js'
import { expectedAnswer } from './truth.js'

export interface Sample {
  query: QueryName
  id: string
  body: string
  expected: string
}

/** Random ids, and one of each kind that does not exist, with what the database says. */
export async function drawSamples(
  database: Database,
  random: Random,
  queries: readonly QueryName[],
  options: { count: number; quick: boolean },
): Promise<Sample[]> {
  const chosen = queries.flatMap((query) => {
    const ids = askedIds(query, options.quick)
    const unknown = (ids[0] as string).replace(/\d+$/, '99999999')
    return [unknown, ...Array.from({ length: options.count }, () => random.pick(ids))].map((id) => ({ query, id }))
  })
  return Promise.all(
    chosen.map(async ({ query, id }) => ({
      ...{ query, id, body: requestBody(query, id) },
      expected: await expectedAnswer(database, query, id),
    })),
  )
}

/** Throws at the first answer that is not, once parsed and printed again, equal to the byte, order of the fields included. */
export async function checkAnswers({ name, url }: RunningServer, samples: readonly Sample[]): Promise<void> {
  const client = new Client(url, 10)
  await client.postAll(
    samples.map(({ body }) => body),
    (index, { status, text }) => {
      const { query, id, expected } = samples[index] as Sample
      if (status === 200 && printedAgain(text) === expected) return
      throw new Error(`${name} answers ${query} for ${id} with ${status}:\n${text.slice(0, 1_000)}\nand not with\n${expected}`)
    },
  )
  client.close()
}

function printedAgain(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text
  }
}
