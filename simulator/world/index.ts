export { planOf, profileNames } from './plan.js'
export { runPlan } from './run.js'
