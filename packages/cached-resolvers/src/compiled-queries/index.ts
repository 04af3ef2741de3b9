export { type CollectFieldsOptions, collectFields } from './collect-fields.js'
export { type CompiledAnswer, CompiledQueries, type QueryRequest } from './compiled-queries.js'
export type { SharedValueMemo } from './object-json-cache.js'
