import 'reflect-metadata'
import { writeFileSync } from 'node:fs'
import { createSchema, printSchema } from '../graphql/schema.js'

/** npm run schema: writes schema.graphql anew. */
writeFileSync('schema.graphql', printSchema(createSchema()))
