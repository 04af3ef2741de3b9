/** Kinds of schedules, by what breaks in them. Consecutive seeds take them in turn. */
export const profileNames = [
  ...([
    'calm',
    'connections',
    'redis server',
    'failover',
    'split',
    'processes',
    'postgres',
    'locked row',
    'mixed',
    'pairs',
  ] as const),
  ...(['two memories', 'two prefixes'] as const),
] as const
export type ProfileName = (typeof profileNames)[number]
