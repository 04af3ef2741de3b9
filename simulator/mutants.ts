import type { ProfileName } from './world/profiles.js'

/** One guard of the engine, switched off: `find`, which must occur exactly once in `file`, is replaced by `replace`. */
export interface Mutant {
  name: string
  file: string
  find: string
  replace: string
  /** Profiles in which the guard matters; default: all */
  profiles?: readonly ProfileName[]
  /** First seed of the search: one that was found before, so that the search is short as long as the schedules do not change */
  seed?: number
}

export const mutants: readonly Mutant[] = [
  {
    name: 'lease-on-fill',
    file: 'packages/cached-resolvers/src/cache/entry-writer.ts',
    find: "return { key: lease.key, when: { state: 'startsWith', expected: lease.expected }, value: entry, ttlMs }",
    replace: "return { key: lease.key, when: { state: 'notLeased' }, value: entry, ttlMs }",
    seed: 11,
  },
  {
    name: 'generation',
    file: 'packages/cached-resolvers/src/cache/key-read.ts',
    find: "if (!isOfGeneration(stored, { generation, generations })) return { state: 'miss' }",
    replace: '',
  },
  {
    name: 'near-generation',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: 'if (entry?.generation !== items.generation.text) return undefined',
    replace: 'if (!entry) return undefined',
    seed: 11,
  },
  {
    name: 'distrust-after-lost-connection',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: `      onStoreLost: () => {
        this.forgetAll()
        this.trust.distrust()
      },`,
    replace: '      onStoreLost: () => this.forgetAll(),',
    seed: 400,
  },
  {
    name: 'distrust-after-unconfirmed-removal',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '    else this.trust.distrust()\n    return confirmed',
    replace: '    return confirmed',
    seed: 16,
  },
  {
    name: 'registration-marker',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (known && stored === known.registration) return stored',
    replace: 'if (known) return known.registration',
    profiles: ['failover', 'split'],
    seed: 16,
  },
  {
    name: 'invalidate-on-registration',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: '    await store.removeMany(generationKeys)\n',
    replace: '',
    profiles: ['failover'],
    seed: 13,
  },
  {
    name: 'catch-up-before-trust',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: '    await this.source.catchUp(registration, epoch)\n',
    replace: '',
    seed: 8,
  },
  {
    name: 'trust-lease',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'return this.isCaughtUp && (this.isSourceUnavailable || !this.isLeaseExpired())',
    replace: 'return this.isCaughtUp',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'caught-up-after-lapse',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (isStillRegistered && !this.isLeaseExpired()) this.leaseRenewedAt = asOf',
    replace: 'if (isStillRegistered) this.leaseRenewedAt = asOf',
    profiles: ['two memories'],
  },
  {
    name: 'lapse-while-source-is-away',
    file: 'packages/cached-resolvers/src/cache/trust.ts',
    find: 'if (!this.isLeaseExpired()) this.isSourceUnavailable = true',
    replace: 'this.isSourceUnavailable = true',
    profiles: ['two memories'],
    seed: 1918,
  },
  {
    name: 'reads-while-distrusted',
    file: 'packages/cached-resolvers/src/cache/guarded-store.ts',
    find: 'if (this.trust.isTrusted) return this.force(namespace, command)',
    replace: 'return this.force(namespace, command)',
    seed: 16,
  },
  {
    name: 'near-store-of-trusted-server-only',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: 'if (this.trust.isTrustedServer(server)) this.near?.confirm(asOf)',
    replace: 'if (this.trust.isTrusted) this.near?.confirm(asOf)',
    profiles: ['failover', 'split'],
    seed: 24,
  },
  {
    name: 'acknowledgements',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: 'const silent = await removal.waitFor(Number(number), remainingMsOf(leases))',
    replace: 'const silent = leases.size < 0 ? [String(number)] : []',
    seed: 9,
  },
  {
    name: 'keep-renewed-members',
    file: 'simulator/world/redis-scripts.ts',
    find: 'if (isSame) server',
    replace: "if (isSame || key !== '') server",
    profiles: ['connections', 'pairs'],
    seed: 380,
  },
  {
    name: 'lost-members',
    file: 'simulator/world/redis-scripts.ts',
    find: "if (leaseMs === '' ||",
    profiles: ['redis server', 'pairs'],
    replace: "if (leaseMs !== '?' ||",
    seed: 33,
  },
  {
    name: 'acknowledged-after-applied',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: '    this.watcher.onRemoved(keys)\n',
    replace: '    setTimeout(() => this.watcher.onRemoved(keys), 5)\n',
    seed: 21,
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
    name: 'wait-for-other-stores',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: 'this.waitUntilConfirmed(await this.confirmOwn(known, isConfirmed ? registration : undefined), deadline)',
    replace: 'void (await this.confirmOwn(known, isConfirmed ? registration : undefined))',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'retry-own-rows',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: 'while (!(await this.runOrLogError(confirm)) && performance.now() < deadline)',
    replace: 'if (!(await this.runOrLogError(confirm)) && performance.now() < deadline)',
    profiles: ['two memories'],
    seed: 1409,
  },
  {
    name: 'catch-up-despite-claims',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: "    if (!(await this.deliverAll(store))) throw new Error('an invalidation was not confirmed')\n",
    replace: '    await this.deliverBatch(store, 0)\n',
    profiles: ['pairs'],
    seed: 396,
  },
  {
    name: 'keep-row-for-other-stores',
    file: 'simulator/world/outbox.ts',
    find: '({ namespace, deliveredTo }) => server.pendingStores(namespace, [...deliveredTo, registration]).length === 0,',
    replace: '({ namespace, deliveredTo }) => namespace !== null && deliveredTo !== null,',
    profiles: ['two memories', 'two prefixes', 'split'],
  },
  {
    name: 'no-join-of-started-fetch',
    file: 'packages/cached-resolvers/src/cache/read-through.ts',
    find: "claim.state === 'notGranted' && inFlight.fetch.hasStarted) {",
    replace: "claim.state === 'notGranted' && inFlight.fetch.isAborted) {",
    seed: 26,
  },
  {
    name: 'keep-row-until-confirmed',
    file: 'packages/cached-resolvers/src/postgres/relay.ts',
    find: '    return isConfirmed\n',
    replace: '    return true\n',
  },
  {
    name: 'near-clear-on-gap',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: 'onMissedRemovals: () => this.forgetAll(),',
    replace: 'onMissedRemovals: () => undefined,',
    seed: 189,
  },
  {
    name: 'sequence-numbers',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: 'const isInSequence = heartbeat.lastSequence <= number && number <= this.lastSequence',
    replace: 'const isInSequence = true',
    seed: 332,
  },
  {
    name: 'near-staleness',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: 'return this.options.now() <= this.usableUntil',
    replace: 'return this.usableUntil > Number.NEGATIVE_INFINITY',
    seed: 21,
  },
  {
    name: 'near-confirmed-as-of-request',
    file: 'packages/cached-resolvers/src/redis/redis-watch.ts',
    find: 'this.watcher.onUpToDate(heartbeat.sentAt, {',
    replace: 'this.watcher.onUpToDate(this.watcher.now(), {',
    profiles: ['connections'],
    seed: 217,
  },
  {
    name: 'near-removal-counts',
    file: 'packages/cached-resolvers/src/cache/near-store.ts',
    find: `    if (!this.usable || this.removalCount(key) !== countBeforeRead) return
    const isListEntry`,
    replace: `    if (!this.usable || countBeforeRead < 0) return
    const isListEntry`,
    seed: 213,
  },
  {
    name: 'near-fill-after-removal',
    file: 'packages/cached-resolvers/src/cache/entry-writer.ts',
    find: 'near.removalCount(lease.key) === countBefore',
    replace: 'near.removalCount(lease.key) >= countBefore',
    seed: 547,
  },
  {
    name: 'near-removal',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '    this.near?.remove(keys)\n',
    replace: '',
  },
  {
    name: 'remove-before-publish',
    file: 'packages/cached-resolvers/src/redis/redis-store.ts',
    find: 'const [, published] = await Promise.all([remove(), publish()])\n        return published',
    replace: 'const published = await publish()\n        await remove()\n        return published',
    seed: 12,
  },
  {
    name: 'in-flight-fetches-by-generation',
    file: 'packages/cached-resolvers/src/cache/read-through.ts',
    find: 'function inFlightName(lease: string, generation: string | null): string {',
    replace: 'function inFlightName(lease: string, generation: string | null): string {\n  if (generation !== null) return lease',
    seed: 10,
  },
  {
    name: 'notify-subscribers-after-invalidation',
    file: 'src/platform/live/live-updates.ts',
    find: '    await this.options.invalidate(',
    replace: '    void [].concat(',
  },
  {
    name: 'relay-delay',
    file: 'packages/cached-resolvers/src/postgres/changes.ts',
    find: "const relayDelay = '300 milliseconds'",
    replace: "const relayDelay = '0 milliseconds'",
    seed: 84,
  },
  {
    name: 'near-hits-counted',
    file: 'packages/cached-resolvers/src/cache/cache.ts',
    find: '      countDecoded(counts, entry)\n      counts.nearHits',
    replace: '      counts.nearHits',
  },
]
