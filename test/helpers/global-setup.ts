import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { connect } from '../../src/platform/database/connection.js'
import { loadDemoDataOnce } from '../../src/platform/database/demo-data.js'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded-postgres.js'
import { migrate } from '../../src/wiring/migrate.js'
import { findRedisServer, howToInstall } from './redis-binary.js'
import { templateName } from './template.js'

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the administration database */
    postgresUrl: string
    /** Path of the program; null: the tests that need it are skipped */
    redisServer: string | null
  }
}

/** Creates one build and one Postgres for all test files. Each test creates a separate database from the template. */
export default async function setUp(project: TestProject) {
  const redisServer = findRedisServer()
  if (redisServer === null && process.env.CI === 'true')
    throw new Error(`redis-server was not found and could not be installed. ${howToInstall}`)
  project.provide('redisServer', redisServer)
  execFileSync('npm', ['run', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] })

  const dataDirectory = await mkdtemp(join(tmpdir(), 'shop-test-'))
  // Postgres does not run as root and needs access to the folder.
  await chmod(dataDirectory, 0o755)
  const postgres = await startEmbeddedPostgres({ dataDirectory, log: () => {} })
  project.provide('postgresUrl', postgres.url)
  await createTemplate(postgres.url)

  return async () => {
    await postgres.stop()
    await rm(dataDirectory, { recursive: true, force: true })
    if (redisServer === null) {
      process.stdout.write(`\nSKIPPED: every test that needs Redis, because redis-server was not found. ${howToInstall}\n`)
    }
  }
}

async function createTemplate(url: string): Promise<void> {
  const admin = connect({ url, maxConnections: 1, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
  // The data is temporary and need not survive a crash.
  await admin`alter system set fsync = off`
  await admin`select pg_reload_conf()`
  await admin.unsafe(`create database ${templateName}`)
  await admin.end()
  const templateUrl = new URL(url)
  templateUrl.pathname = `/${templateName}`
  const template = connect({ url: templateUrl.href, maxConnections: 2, statementTimeoutMs: 60_000, connectTimeoutMs: 60_000 })
  await migrate(template)
  await loadDemoDataOnce(template)
  await template`delete from cache_outbox`
  await template.end()
}
