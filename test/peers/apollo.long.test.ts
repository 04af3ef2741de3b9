import { runApolloSuite } from './apollo-suite.js'

await runApolloSuite({ warmUps: 0, minCompiled: 0 })
