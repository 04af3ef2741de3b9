import { compareRandomQueries } from './differential.js'

compareRandomQueries(500)
