/** In the order in which they are measured */
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
