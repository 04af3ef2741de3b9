import { describe, expect, test } from 'vitest'
import { Budgets, type Share } from '../../src/http/budgets.js'
import { createClock } from '../helpers/clock.js'
import { createDeferred } from '../helpers/deferred.js'
