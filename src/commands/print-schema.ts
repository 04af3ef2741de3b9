import 'reflect-metadata'
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { createSchema, printSchema } from '../graphql/schema.js'
import { readHelpOption, runCommand } from './run-command.js'

const usage = `Usage: npm run schema
Writes schema.graphql.`

process.exitCode = await runCommand({ usage, readOptions: readHelpOption, run })

async function run(): Promise<number> {
  writeFileSync('schema.graphql', printSchema(createSchema()))
  return 0
}
