import type postgres from 'postgres'

/**
 * Makes transactions survive the loss of their connection. postgres.js tells that the transaction failed, but would then send its end, or
 * whatever else the work asks for, where there is no connection any more, and take the whole process along.
 */
export function surviveLostConnections(database: postgres.Sql): void {
  const begin = database.begin.bind(database) as (options: string, work: Work) => Promise<unknown>
  const beginAndSurvive = (...its: [Work] | [options: string, work: Work]): Promise<unknown> => {
    const [options, work] = its.length === 1 ? ['', its[0]] : its
    let isOver = false
    const transaction = begin(options, (its) => {
      const guarded = whileNot(() => isOver, its)
      // What never ends has no end to be sent.
      return Promise.resolve(work(guarded)).then(
        (value) => (isOver ? never : value),
        (error) => (isOver || isLost(error) ? never : Promise.reject(error)),
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

function whileNot(isOver: () => boolean, transaction: postgres.TransactionSql): postgres.TransactionSql {
  return new Proxy(transaction, {
    apply(target, _, its) {
      if (isOver()) throw new Error('The connection of this transaction was lost')
      return Reflect.apply(target as never, undefined, its)
    },
  })
}

function isLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'CONNECTION_CLOSED'
}

const never = new Promise<never>(() => {})
