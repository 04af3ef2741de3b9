import { readFile } from 'node:fs/promises'
import type { CacheStore } from 'cached-resolvers'
import type { GraphQLSchema } from 'graphql'
import { type Config, ConfigError } from '../config.js'
import { Documents } from '../http/documents/documents.js'
import { PersistedQueries, type SharedDocumentStore } from '../http/documents/persisted-queries.js'
import { ManifestError, TrustedDocuments } from '../http/documents/trusted-documents.js'
import { monotonic } from './clock.js'

/** Throws ConfigError if the file cannot be read or is not a valid manifest. */
export async function readTrustedDocuments(
  { TRUSTED_DOCUMENTS: file }: Config,
  schema: GraphQLSchema,
): Promise<TrustedDocuments | null> {
  if (file === undefined) return null
  try {
    return TrustedDocuments.of(new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file)), schema)
  } catch (error) {
    if (error instanceof ManifestError) throw new ConfigError([`TRUSTED_DOCUMENTS names ${file}, which ${error.message}`])
    if (!(error instanceof Error && 'code' in error)) throw error
    throw new ConfigError([`TRUSTED_DOCUMENTS names a file that cannot be read: ${error.message}`])
  }
}

export function createDocuments(config: Config, trusted: TrustedDocuments | null, store: CacheStore): Documents {
  const keyOf = (hash: string) => `${config.CACHE_PREFIX}:apq:${hash}`
  const shared: SharedDocumentStore = {
    read: async (hash) => (await store.readMany([keyOf(hash)]))[0] ?? null,
    async write(hash, value, ttlMs) {
      await store.swapMany([{ key: keyOf(hash), when: { state: 'notLeased' }, value, ttlMs }])
    },
  }
  const persisted = new PersistedQueries({ shared, now: monotonic })
  return new Documents({ persisted, trusted, onlyTrusted: config.TRUSTED_DOCUMENTS_ONLY })
}
