import type { Database } from './connection.js'

export interface StatementWatcher {
  began(statement: object): void
  /** `text` is what was sent, with $1 for values; undefined where nothing was. `error` is what it failed with. */
  ended(seconds: number, statement: object, text: string | undefined, error: unknown): void
}

/** The same database; the watcher is told of every statement that is sent, inside transactions too. */
export function watched(database: Database, watcher: StatementWatcher): Database {
  return new Proxy(database, {
    apply: (target, _, its) => watch(Reflect.apply(target, undefined, its), watcher),
    get: (target, name, receiver) => {
      if (name === 'begin') return (work: Work) => target.begin((transaction) => work(watched(transaction as never, watcher)))
      return Reflect.get(target, name, receiver)
    },
  })
}

type Work = (transaction: Database) => Promise<unknown>

/** A statement is sent when somebody asks for its result; until then it may be a part of another one. */
function watch(its: unknown, watcher: StatementWatcher): unknown {
  if (!(its instanceof Promise)) return its
  let isSent = false
  const { then } = its
  // biome-ignore lint/suspicious/noThenProperty: a statement is a promise, and this is the moment when it is sent
  its.then = (...callbacks) => {
    if (!isSent) {
      isSent = true
      const startedAt = performance.now()
      const end = (text: string | undefined, error?: unknown) =>
        watcher.ended((performance.now() - startedAt) / 1000, its, text, error)
      watcher.began(its)
      then.call(
        its,
        ({ statement }) => end(statement?.string),
        (error) => end(error?.query, error),
      )
    }
    return then.apply(its, callbacks) as never
  }
  return its
}
