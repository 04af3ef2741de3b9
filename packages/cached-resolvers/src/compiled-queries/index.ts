export { type Collecting, collectFields } from './collect-fields.js'
export { Lane, type LaneAnswer, type QueryRequest } from './lane.js'
export type { Notes } from './pieces.js'
