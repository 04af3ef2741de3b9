export const variants = {
  blind: 'no news: the near store is simply believed (wrong; what the work alone costs)',
  bus: 'RedisWatch: numbered removals over pub/sub',
  broadcast: 'tracking, BCAST with PREFIX: every change, RESP3 push on a connection of its own',
  remembered: 'tracking, default mode with NOLOOP: changes of what was read, redirected to a RESP3 connection',
}

export type Variant = keyof typeof variants

export const variantNames = Object.keys(variants) as Variant[]
