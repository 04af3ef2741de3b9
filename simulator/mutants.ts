import type { ProfileName } from './world/profiles.js'

/** One guard of the engine, switched off: `find`, which stands exactly once in `file`, is replaced. */
export interface Mutant {
  name: string
  file: string
  find: string
  replace: string
  /** Where it is found soonest, if it takes something special */
  profile?: ProfileName
}

export const mutants: readonly Mutant[] = [
  {
    name: 'lease-on-fill',
    file: 'src/cache/entries.ts',
    find: "return { key: lease.key, when: { state: 'held', expected: lease.expected }, value: entry, ttlMs }",
    replace: "return { key: lease.key, when: { state: 'unleased' }, value: entry, ttlMs }",
  },
  {
    name: 'generation',
    file: 'src/cache/slot.ts',
    find: "if (held.header.generation !== generation) return { state: 'miss' }",
    replace: '',
  },
  {
    name: 'near-generation',
    file: 'src/cache/near-store.ts',
    find: 'if (entry?.generation !== shelf.generation.text) return undefined',
    replace: 'if (!entry) return undefined',
  },
  {
    name: 'doubt-after-lost-connection',
    file: 'src/cache/cache.ts',
    find: `      lost: () => {
        this.forgetAll()
        this.trust.doubt()
      },`,
    replace: '      lost: () => this.forgetAll(),',
    profile: 'redis server',
  },
  {
    name: 'doubt-after-unconfirmed-removal',
    file: 'src/cache/cache.ts',
    find: '    else this.trust.doubt()\n    return confirmed',
    replace: '    return confirmed',
  },
  {
    name: 'epoch',
    file: 'src/cache/trust.ts',
    find: 'if (known === server) return',
    replace: 'if (known === server || epochKey) return',
    profile: 'redis server',
  },
  {
    name: 'catch-up-before-trust',
    file: 'src/cache/trust.ts',
    find: '      await this.options.catchUp()\n',
    replace: '',
  },
  {
    name: 'reads-while-doubted',
    file: 'src/cache/attempts.ts',
    find: 'if (this.trust.given) return this.insist(namespace, command)',
    replace: 'return this.insist(namespace, command)',
  },
  {
    name: 'catch-up-waits-for-others',
    file: 'src/invalidation/relay.ts',
    find: 'if (taken === 0) await sleep(catchUpPauseMs)',
    replace: 'if (taken === 0) return void sleep',
    profile: 'pairs',
  },
  {
    name: 'row-kept-until-confirmed',
    file: 'src/invalidation/relay.ts',
    find: '    return isConfirmed\n',
    replace: '    return true\n',
  },
  {
    name: 'near-clear-on-gap',
    file: 'src/cache/cache.ts',
    find: 'missed: () => this.forgetAll(),',
    replace: 'missed: () => undefined,',
  },
  {
    name: 'sequence-numbers',
    file: 'src/cache/redis-watch.ts',
    find: 'const isHeard = question.lastNumber <= number && number <= this.lastNumber',
    replace: 'const isHeard = true',
  },
  {
    name: 'near-staleness',
    file: 'src/cache/near-store.ts',
    find: 'return this.options.now() <= this.usableUntil',
    replace: 'return this.usableUntil > Number.NEGATIVE_INFINITY',
  },
  {
    name: 'near-confirmed-as-of-asking',
    file: 'src/cache/redis-watch.ts',
    find: 'this.watcher.upToDate(question.asOf)',
    replace: 'this.watcher.upToDate(this.watcher.now())',
    profile: 'connections',
  },
  {
    name: 'near-removal-marks',
    file: 'src/cache/near-store.ts',
    find: `    if (!this.usable || this.mark(key) !== mark) return
    if (!this.known.admits`,
    replace: `    if (!this.usable || mark < 0) return
    if (!this.known.admits`,
  },
  {
    name: 'near-removal',
    file: 'src/cache/cache.ts',
    find: '    this.near?.remove(keys)\n',
    replace: '',
  },
  {
    name: 'second-forget-after-removal',
    file: 'src/cache/cache.ts',
    find: `    // Once more: what began during the removal may have seen either.
    this.forget(keys)`,
    replace: '',
    profile: 'calm',
  },
  {
    name: 'removal-before-telling',
    file: 'src/cache/redis-store.ts',
    find: 'else await Promise.all([remove(), tell()])',
    replace: 'else await tell().then(remove)',
  },
  {
    name: 'flights-disowned',
    file: 'src/cache/cache.ts',
    find: '    this.flights.disown(keys)\n',
    replace: '',
  },
  {
    name: 'flights-by-generation',
    file: 'src/cache/read-through.ts',
    find: 'function flightName(lease: string, generation: string | null): string {',
    replace: 'function flightName(lease: string, generation: string | null): string {\n  if (generation !== null) return lease',
  },
  {
    name: 'subscribers-told-after-invalidation',
    file: 'src/live/live.ts',
    find: 'if (heard.length > 0) await invalidate(outdatedBy(heard))',
    replace: '',
  },
  {
    name: 'relay-delay',
    file: 'src/commands/command.ts',
    find: "const relayDelay = '300 milliseconds'",
    replace: "const relayDelay = '0 milliseconds'",
  },
  {
    name: 'near-hits-counted',
    file: 'src/cache/cache.ts',
    find: '    countKept(counts, entry)\n    counts.nearHits',
    replace: '    counts.nearHits',
  },
]
