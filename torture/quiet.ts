import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { boundMs } from './bounds.js'
import { compareAnswers } from './compare-answers.js'
import { compareEntries } from './compare-entries.js'
import { type Difference, describeDifference } from './differences.js'
import { isHealthy } from './graphql-client.js'
import { isOwed } from './owed.js'
import { readGoneIds, readShopRows } from './shop-rows.js'
import type { World } from './world.js'

export interface QuietSummary {
  comparisons: number
  compared: number
  differing: number
  /** What did not settle in time */
  unsettled: string[]
}

const settlePatienceMs = 20_000

/** The quiet after a storm: once all is delivered, nothing that is cached anywhere may differ from the database. */
export class Quiet {
  readonly summary: QuietSummary = { comparisons: 0, compared: 0, differing: 0, unsettled: [] }

  constructor(private readonly world: World) {}

  async compare(): Promise<void> {
    await this.settle()
    const { apis, database, pages, options } = this.world
    const rows = await readShopRows(database)
    const gone = await readGoneIds(database, rows)
    const results: Awaited<ReturnType<typeof compareAnswers>>[] = []
    for (const { client, prefix } of keySpaces(apis)) results.push(await compareEntries(client, rows, pages.all, prefix))
    for (const api of apis) results.push(await compareAnswers(api, rows, gone, pages.all))
    this.summary.comparisons += 1
    for (const { compared, differences } of results) {
      this.summary.compared += compared
      this.summary.differing += differences.length
      this.report(differences, options.protection === 'full' ? 30 : 3)
    }
  }

  private async settle(): Promise<void> {
    const { apis, commits, database, options } = this.world
    await this.until('every process is healthy', async () => (await Promise.all(apis.map(isHealthy))).every(Boolean))
    if (options.protection === 'full')
      await this.until('no store in use is owed a change', async () => !(await isOwed(database, 'any')))
    await commits.idle()
    await sleep(boundMs + 100)
  }

  private async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const until = this.world.now() + settlePatienceMs
    while (!(await holds())) {
      if (this.world.now() > until) {
        this.summary.unsettled.push(what)
        return this.world.print(`NOT SETTLED in ${settlePatienceMs / 1000} s: ${what}`)
      }
      await sleep(20)
    }
  }

  private report(differences: readonly Difference[], most: number): void {
    for (const difference of differences.slice(0, most)) this.world.print(describeDifference(difference))
    if (differences.length > most) this.world.print(`  and ${differences.length - most} more`)
  }
}

/** Where the processes look for entries, each place once */
function keySpaces(apis: World['apis']): { client: Redis; prefix: string }[] {
  const used = apis.flatMap(({ address, prefix }) => (address ? [{ client: address.leadsTo.client, prefix }] : []))
  return used.filter(
    (place, index) => used.findIndex(({ client, prefix }) => client === place.client && prefix === place.prefix) === index,
  )
}
