import type { ProfileName } from './world/profiles.js'

/** One guard of the engine, switched off: `find`, which stands exactly once in `file`, is replaced. */
export interface Mutant {
  name: string
  file: string
  find: string
  replace: string
  /** Where it matters; left out: in all of them */
  profiles?: readonly ProfileName[]
  /** Where the search begins, if it takes something rare */
  seed?: number
}

export const mutants: readonly Mutant[] = [
  {
    name: 'lease-on-fill',
    file: 'packages/cached-resolvers/src/cache/entries.ts',
    find: "return { key: lease.key, when: { state: 'held', expected: lease.expected }, value: entry, ttlMs }",
    replace: "return { key: lease.key, when: { state: 'unleased' }, value: entry, ttlMs }",
  },
  {
    name: 'generation',
    file: 'packages/cached-resolvers/src/cache/slot.ts',
    find: "if (held.header.generation !== generation) return { state: 'miss' }",
    replace: '',
  },
  {
    name: 'near-generation',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: 'if (entry?.generation !== shelf.generation.text) return undefined',
    replace: 'if (!entry) return undefined',
  },
  {
    name: 'doubt-after-lost-connection',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: `      lost: () => {
        this.forgetAll()
        this.trust.distrust()
      },`,
    replace: '      lost: () => this.forgetAll(),',
    seed: 395,
  },
  {
    name: 'doubt-after-unconfirmed-removal',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '    else this.trust.distrust()\n    return confirmed',
    replace: '    return confirmed',
  },
  {
    name: 'registration-marker',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (known && marker === known.registration) return marker',
    replace: 'if (known) return known.registration',
    profiles: ['failover', 'split'],
    seed: 10,
  },
  {
    name: 'emptied-when-registered',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: '    await store.removeMany(generationKeys)\n',
    replace: '',
    profiles: ['failover'],
  },
  {
    name: 'catch-up-before-trust',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: '    await this.source.catchUp(registration, doubts)\n',
    replace: '',
  },
  {
    name: 'trust-lease',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'return this.isSettled && (this.sourceIsAway || !this.hasLapsed())',
    replace: 'return this.isSettled',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'caught-up-after-lapse',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (stands && !this.hasLapsed()) this.confirmedAt = asOf',
    replace: 'if (stands) this.confirmedAt = asOf',
    profiles: ['two memories'],
  },
  {
    name: 'lapse-while-source-is-away',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (!this.hasLapsed()) this.sourceIsAway = true',
    replace: 'this.sourceIsAway = true',
    profiles: ['two memories'],
    seed: 1918,
  },
  {
    name: 'reads-while-distrusted',
    file: 'packages/cached-resolvers/src/cache/attempts.ts',
    find: 'if (this.trust.isTrusted) return this.force(namespace, command)',
    replace: 'return this.force(namespace, command)',
  },
  {
    name: 'near-of-trusted-server',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: 'if (this.trust.isTrustedServer(server)) this.near?.confirm(asOf)',
    replace: 'if (this.trust.isTrusted) this.near?.confirm(asOf)',
    profiles: ['failover', 'split'],
  },
  {
    name: 'acknowledgements',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: 'const silent = await removal.waitFor(Number(number), leftOf(leases))',
    replace: 'const silent = leases.size < 0 ? [String(number)] : []',
  },
  {
    name: 'members-that-renewed',
    file: 'simulator/world/redis-scripts.ts',
    find: 'if (isSame) server',
    replace: "if (isSame || key !== '') server",
    profiles: ['connections', 'pairs'],
    seed: 375,
  },
  {
    name: 'lost-members',
    file: 'simulator/world/redis-scripts.ts',
    find: "if (leaseMs === '' ||",
    profiles: ['redis server', 'pairs'],
    replace: "if (leaseMs !== '?' ||",
  },
  {
    name: 'acknowledged-after-applied',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: '    this.watcher.removed(keys)\n',
    replace: '    setTimeout(() => this.watcher.removed(keys), 5)\n',
  },
  {
    name: 'same-server-on-all-connections',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: 'if (servers.every((other) => other === server)) return server',
    replace: "if (server !== '') return server",
    profiles: ['failover', 'split'],
    seed: 380,
  },
  {
    name: 'replication-id',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: "infoField(replication, 'master_replid') ?? ''",
    replace: "''",
    profiles: ['failover', 'split'],
    seed: 462,
  },
  {
    name: 'stores-of-others-waited-for',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: 'this.waitForOthers(await this.confirmOwn(known, isConfirmed ? registration : undefined), until)',
    replace: 'void (await this.confirmOwn(known, isConfirmed ? registration : undefined))',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'own-rows-carried-again',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: 'while (!(await this.attempt(carry)) && performance.now() < until)',
    replace: 'if (!(await this.attempt(carry)) && performance.now() < until)',
    profiles: ['two memories'],
    seed: 1409,
  },
  {
    name: 'claims-passed-over-in-catch-up',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: "    if (!(await this.deliverAll(store))) throw new Error('an invalidation was not confirmed')\n",
    replace: '    await this.deliverBatch(store, 0)\n',
    profiles: ['pairs'],
  },
  {
    name: 'row-owed-to-other-stores',
    file: 'simulator/world/outbox.ts',
    find: '({ namespace, deliveredTo }) => server.owedStores(namespace, [...deliveredTo, store]).length === 0,',
    replace: '({ namespace, deliveredTo }) => namespace !== null && deliveredTo !== null,',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'fetch-of-before-joined',
    file: 'packages/cached-resolvers/src/cache/read-through.ts',
    find: "claim.state === 'refused' && underWay.fetch.hasStarted) {",
    replace: "claim.state === 'refused' && underWay.fetch.isAborted) {",
  },
  {
    name: 'row-kept-until-confirmed',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: '    return isConfirmed\n',
    replace: '    return true\n',
  },
  {
    name: 'near-clear-on-gap',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: 'missed: () => this.forgetAll(),',
    replace: 'missed: () => undefined,',
    seed: 185,
  },
  {
    name: 'sequence-numbers',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: 'const isHeard = question.lastNumber <= number && number <= this.lastNumber',
    replace: 'const isHeard = true',
    seed: 325,
  },
  {
    name: 'near-staleness',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: 'return this.options.now() <= this.usableUntil',
    replace: 'return this.usableUntil > Number.NEGATIVE_INFINITY',
  },
  {
    name: 'near-confirmed-as-of-asking',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: 'this.watcher.upToDate(question.asOf, {',
    replace: 'this.watcher.upToDate(this.watcher.now(), {',
    profiles: ['connections'],
  },
  {
    name: 'near-removal-marks',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: `    if (!this.usable || this.mark(key) !== mark) return
    if (!this.known.admits`,
    replace: `    if (!this.usable || mark < 0) return
    if (!this.known.admits`,
  },
  {
    name: 'near-removal',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '    this.near?.remove(keys)\n',
    replace: '',
  },
  {
    name: 'removal-before-telling',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: 'const [, published] = await Promise.all([remove(), publish()])\n        return published',
    replace: 'const published = await publish()\n        await remove()\n        return published',
  },
  {
    name: 'flights-by-generation',
    file: 'packages/cached-resolvers/src/cache/read-through.ts',
    find: 'function flightName(lease: string, generation: string | null): string {',
    replace: 'function flightName(lease: string, generation: string | null): string {\n  if (generation !== null) return lease',
  },
  {
    name: 'subscribers-told-after-invalidation',
    file: 'src/platform/live/live.ts',
    find: '    await this.options.invalidate(',
    replace: '    void [].concat(',
  },
  {
    name: 'relay-delay',
    file: 'packages/cached-resolvers/src/postgres/changes.ts',
    find: "const relayDelay = '300 milliseconds'",
    replace: "const relayDelay = '0 milliseconds'",
  },
  {
    name: 'near-hits-counted',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '      countKept(counts, entry)\n      counts.nearHits',
    replace: '      counts.nearHits',
  },
]
