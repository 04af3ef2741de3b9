import { compareRandomQueries } from './differential.js'

compareRandomQueries(4_000)
