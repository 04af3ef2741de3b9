import type postgres from 'postgres'

/**
 * Keeps the process alive when a transaction loses its connection. postgres.js rejects the transaction, but would then send
 * COMMIT, ROLLBACK or a later statement of the transaction on the lost connection, which throws an error that nothing catches.
 */
export function surviveLostConnections(database: postgres.Sql): void {
  const begin = database.begin.bind(database) as (options: string, work: Work) => Promise<unknown>
  const beginAndSurvive = (...args: [Work] | [options: string, work: Work]): Promise<unknown> => {
    const [options, work] = args.length === 1 ? ['', args[0]] : args
    let isOver = false
    const transaction = begin(options, (sql) => {
      const guarded = guardTransaction(() => isOver, sql)
      // While this promise is pending, postgres.js sends neither COMMIT nor ROLLBACK.
      return Promise.resolve(work(guarded)).then(
        (value) => (isOver ? pending : value),
        (error) => (isOver || isConnectionLost(error) ? pending : Promise.reject(error)),
      )
    })
    const end = () => {
      isOver = true
    }
    transaction.then(end, end)
    return transaction
  }
  Object.assign(database, { begin: beginAndSurvive })
}

type Work = (transaction: postgres.TransactionSql) => unknown

function guardTransaction(isOver: () => boolean, transaction: postgres.TransactionSql): postgres.TransactionSql {
  return new Proxy(transaction, {
    apply(target, _, args) {
      if (isOver()) throw new Error('The connection of this transaction was lost')
      return Reflect.apply(target as never, undefined, args)
    },
  })
}

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'CONNECTION_CLOSED'
}

const pending = new Promise<never>(() => {})
