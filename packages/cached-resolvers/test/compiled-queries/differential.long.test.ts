import { compareRandomQueries } from './differential.js'

compareRandomQueries(10_000)
