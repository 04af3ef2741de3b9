import 'reflect-metadata'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createSchema, printSchema } from '../graphql/schema.js'

/** npm run schema: writes schema.graphql. */
const { values } = parseArgs({ options: { help: { type: 'boolean' } } })
if (values.help) process.stdout.write('Usage: npm run schema\nWrites schema.graphql.\n')
else writeFileSync('schema.graphql', printSchema(createSchema()))
