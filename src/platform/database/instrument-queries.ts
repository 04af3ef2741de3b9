import type { Database } from './connection.js'

export interface StatementObserver {
  onStart(statement: object): void
  /** `text` is the SQL as sent, with $1 for values; undefined if nothing was sent. `error` is undefined on success. */
  onEnd(seconds: number, statement: object, text: string | undefined, error: unknown): void
}

/**
 * Returns the same database, except that the observer is called for every statement sent, including statements inside
 * transactions.
 */
export function instrumentQueries(database: Database, observer: StatementObserver): Database {
  return new Proxy(database, {
    apply: (target, _, args) => observe(Reflect.apply(target, undefined, args), observer),
    get: (target, name, receiver) => {
      if (name === 'begin')
        return (work: Work) => target.begin((transaction) => work(instrumentQueries(transaction as never, observer)))
      return Reflect.get(target, name, receiver)
    },
  })
}

type Work = (transaction: Database) => Promise<unknown>

/**
 * postgres.js sends a statement when its result is first awaited. A statement that is never awaited may be a fragment of another
 * statement.
 */
function observe(statement: unknown, observer: StatementObserver): unknown {
  if (!(statement instanceof Promise)) return statement
  let isSent = false
  const { then } = statement
  // biome-ignore lint/suspicious/noThenProperty: a statement is a promise, and calling then() sends it
  statement.then = (...callbacks) => {
    if (!isSent) {
      isSent = true
      const startedAt = performance.now()
      const end = (text: string | undefined, error?: unknown) =>
        observer.onEnd((performance.now() - startedAt) / 1000, statement, text, error)
      observer.onStart(statement)
      then.call(
        statement,
        (result) => end(result.statement?.string),
        (error) => end(error?.query, error),
      )
    }
    return then.apply(statement, callbacks) as never
  }
  return statement
}
