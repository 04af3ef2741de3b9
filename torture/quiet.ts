import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { boundMs } from './bounds.js'
import { compareAnswers } from './compare-answers.js'
import { compareEntries } from './compare-entries.js'
import { type Difference, describeDifference } from './differences.js'
import { isHealthy } from './graphql-client.js'
import { readDeletedIds, readShopRows } from './shop-rows.js'
import { isUndelivered } from './undelivered.js'
import type { World } from './world.js'

export interface QuietSummary {
  comparisons: number
  compared: number
  differing: number
  /** Conditions that did not become true in time */
  unsettled: string[]
}

const settleTimeoutMs = 20_000

/** The quiet period after a storm: when all changes are delivered, no cached value may differ from the database. */
export class Quiet {
  readonly summary: QuietSummary = { comparisons: 0, compared: 0, differing: 0, unsettled: [] }

  constructor(private readonly world: World) {}

  async compare(): Promise<void> {
    await this.settle()
    const { apis, database, pages, options } = this.world
    const rows = await readShopRows(database)
    const deletedIds = await readDeletedIds(database, rows)
    const results: Awaited<ReturnType<typeof compareAnswers>>[] = []
    for (const { client, prefix } of keySpaces(apis)) results.push(await compareEntries(client, rows, pages.all, prefix))
    for (const api of apis) results.push(await compareAnswers(api, rows, deletedIds, pages.all))
    this.summary.comparisons += 1
    for (const { compared, differences } of results) {
      this.summary.compared += compared
      this.summary.differing += differences.length
      this.report(differences, options.protection === 'full' ? 30 : 3)
    }
  }

  private async settle(): Promise<void> {
    const { apis, commits, database, options } = this.world
    await this.waitFor('every process is healthy', async () => (await Promise.all(apis.map(isHealthy))).every(Boolean))
    if (options.protection === 'full')
      await this.waitFor('all changes are delivered to the stores in use', async () => !(await isUndelivered(database, 'any')))
    await commits.idle()
    await sleep(boundMs + 100)
  }

  private async waitFor(condition: string, isTrue: () => Promise<boolean>): Promise<void> {
    const until = this.world.now() + settleTimeoutMs
    while (!(await isTrue())) {
      if (this.world.now() > until) {
        this.summary.unsettled.push(condition)
        return this.world.print(`NOT SETTLED in ${settleTimeoutMs / 1000} s: ${condition}`)
      }
      await sleep(20)
    }
  }

  private report(differences: readonly Difference[], max: number): void {
    for (const difference of differences.slice(0, max)) this.world.print(describeDifference(difference))
    if (differences.length > max) this.world.print(`  and ${differences.length - max} more`)
  }
}

/** The servers and prefixes that the processes use, without duplicates */
function keySpaces(apis: World['apis']): { client: Redis; prefix: string }[] {
  const used = apis.flatMap(({ address, prefix }) => (address ? [{ client: address.target.client, prefix }] : []))
  return used.filter(
    (space, index) => used.findIndex(({ client, prefix }) => client === space.client && prefix === space.prefix) === index,
  )
}
