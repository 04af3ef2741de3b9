import { setTimeout as sleep } from 'node:timers/promises'
import * as cacheStores from '../../packages/cached-resolvers/src/postgres/cache-stores.js'
import * as outbox from '../../packages/cached-resolvers/src/postgres/outbox.js'
import { bundle } from '../../simulator/bundle.js'
import { load } from '../../simulator/load.js'
import * as liveChanges from '../../src/platform/database/live-changes.js'
import { createDatabase } from '../helpers/database.js'
import { describeOutboxContract } from './outbox-contract.js'

describeOutboxContract('Postgres', async () => {
  const { sql, drop } = await createDatabase()
  return {
    outbox,
    cacheStores,
    liveChanges,
    database: sql,
    write: async (transaction, products) => {
      await transaction`update products set stock = stock + 1 where id = any(${products as number[]})`
    },
    call: (work) => work(),
    wait: async (ms) => void (await sleep(ms)),
    stop: drop,
  }
})

describeOutboxContract('the Postgres of the simulator', async () => load(await bundle()).createOutboxSubject())
