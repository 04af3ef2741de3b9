import { runApolloSuite } from './apollo-suite.js'

await runApolloSuite({ rehearsals: 0, minCompiled: 0 })
