import { compareRandomQueries } from './differential.js'

compareRandomQueries(1_000)
