/** The servers of the comparison, in the order in which they are measured */
export const serverNames = [
  'limit',
  'limit-near',
  'limit-pieces',
  'naive',
  'straightforward',
  'yoga',
  'mercurius',
  'mercurius-cache',
  'ours-far',
  'ours-near',
] as const
export type ServerName = (typeof serverNames)[number]

/** The servers of the measurement with writes, in this order */
export const mixedServerNames = [
  'limit-del',
  'straightforward-del',
  'straightforward-ttl',
  'yoga',
  'mercurius-cache-ttl',
  'mercurius-cache-invalidation',
  'ours-far',
  'ours-near',
] as const
export type MixedServerName = (typeof mixedServerNames)[number]
