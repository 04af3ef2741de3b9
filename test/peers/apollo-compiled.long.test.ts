import { runApolloSuite } from './apollo-suite.js'

await runApolloSuite({ rehearsals: 3, minCompiled: 100 })
