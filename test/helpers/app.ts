import { startApp } from '../../src/app.js'
import { readConfig } from '../../src/config.js'
import { createDatabase, type TestDatabase } from './database.js'
import { longTimeouts } from './long-timeouts.js'

export interface TestApp {
  /** Origin of the server: URL without a path */
  origin: string
  database: TestDatabase
  /** Sends a document over HTTP and returns the parsed response. */
  // biome-ignore lint/suspicious/noExplicitAny: the shape follows from the document
  query<Data = Record<string, any>>(document: string, variables?: Record<string, unknown>): Promise<Answer<Data>>
  /** Returns the SQL statements on the shop's tables since the last call. */
  takeStatements(): string[]
  stop(): Promise<void>
}

export interface Answer<Data> {
  data: Data
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string; requestId?: string } }[]
}

export interface TestAppOptions {
  redisUrl?: string
  /** A database shared with other apps, which `stop` does not drop */
  database?: TestDatabase
  /**
   * Whether to run the relay. Without it, only mutations of this app invalidate, each once; on a busy machine, a relay may be
   * faster than the mutation. Default: true
   */
  runsRelay?: boolean
  env?: Record<string, string>
}

/** Starts the whole application on a free port, with a separate database. */
export async function startTestApp({ redisUrl, database: shared, runsRelay = true, env }: TestAppOptions = {}): Promise<TestApp> {
  const database = shared ?? (await createDatabase())
  let statements: string[] = []
  const config = readConfig({
    ...longTimeouts,
    PORT: '0',
    DATABASE_URL: database.url,
    LOG_LEVEL: 'silent',
    // No near store, so that every read can be counted in Redis
    CACHE_NEAR_MB: '0',
    AUDIT_INTERVAL_MS: '0',
    ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    ...env,
  })
  const app = await startApp(config, { onStatement: (text) => statements.push(text), runsRelay })
  return {
    origin: new URL(app.url).origin,
    database,
    async query(document, variables) {
      const response = await fetch(app.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: document, variables }),
      })
      return (await response.json()) as Answer<never>
    },
    takeStatements() {
      const taken = statements.filter((text) => shopTable.test(text) && !text.includes('cache_outbox'))
      statements = []
      return taken
    },
    async stop() {
      await app.stop()
      if (!shared) await database.drop()
    },
  }
}

const shopTable = /\b(users|products|orders|order_items)\b/
