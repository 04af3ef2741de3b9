import { runApolloSuite } from './apollo-suite.js'

await runApolloSuite({ warmUps: 3, minCompiled: 100 })
