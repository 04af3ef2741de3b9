import { type DocumentNode, type GraphQLSchema, Kind, parse, specifiedRules, validate } from 'graphql'
import { z } from 'zod'
import { maxSourceLength, parseOptions, validationRules } from '../../graphql/document-limits.js'

/** A manifest cannot be used. The message lists the problems of each document. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
}

interface ManifestEntry {
  id: string
  text: string
  /** Name of the operation, if the manifest has it */
  name?: string
}

/** The documents that the frontends were built with, by the ids that the frontends send instead of the documents */
export class TrustedDocuments {
  private readonly texts: ReadonlySet<string>

  private constructor(private readonly byId: ReadonlyMap<string, string>) {
    this.texts = new Set(byId.values())
  }

  /** Reads a manifest of graphql-codegen's client preset, or a persisted query manifest of Apollo. Throws ManifestError. */
  static of(manifest: string, schema: GraphQLSchema): TrustedDocuments {
    const entries = readEntries(manifest)
    const problems = entries.flatMap((entry) => documentProblem(entry, schema) ?? [])
    const ids = new Set<string>()
    for (const { id } of entries) {
      if (ids.has(id)) problems.push(`the id ${id} occurs twice`)
      ids.add(id)
    }
    if (entries.length === 0) problems.push('it has no operations')
    if (problems.length > 0) throw new ManifestError(summary(problems))
    return new TrustedDocuments(new Map(entries.map(({ id, text }) => [id, text])))
  }

  /**
   * Returns the document with this id. The id may have the prefix `sha256:`, which GraphQL over HTTP allows if the id is a hash.
   */
  find(id: string): string | undefined {
    return this.byId.get(id) ?? (id.startsWith('sha256:') ? this.byId.get(id.slice('sha256:'.length)) : undefined)
  }

  includes(text: string): boolean {
    return this.texts.has(text)
  }
}

const apolloManifest = z.object({
  format: z.literal('apollo-persisted-query-manifest'),
  version: z.literal(1),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string(), name: z.string() })),
})
const codegenManifest = z.record(z.string().min(1), z.string())

function readEntries(manifest: string): ManifestEntry[] {
  const json = parseJson(manifest)
  const apollo = apolloManifest.safeParse(json)
  if (apollo.success) return apollo.data.operations.map(({ id, body, name }) => ({ id, text: body, name }))
  const codegen = codegenManifest.safeParse(json)
  if (codegen.success) return Object.entries(codegen.data).map(([id, text]) => ({ id, text }))
  throw new ManifestError(
    'is neither an object of documents by hash (graphql-codegen) nor an apollo-persisted-query-manifest of version 1',
  )
}

function parseJson(manifest: string): unknown {
  try {
    return JSON.parse(manifest)
  } catch (error) {
    throw new ManifestError('is not JSON', { cause: error })
  }
}

function documentProblem({ id, text, name }: ManifestEntry, schema: GraphQLSchema): string | undefined {
  if (text.length > maxSourceLength) return `${name ?? id}: has ${text.length} characters, the maximum is ${maxSourceLength}`
  let document: DocumentNode
  try {
    document = parse(text, parseOptions)
  } catch (error) {
    return `${name ?? id}: ${error instanceof Error ? error.message : String(error)}`
  }
  const [error] = validate(schema, document, [...specifiedRules, ...validationRules(true)])
  return error && `${name ?? nameOf(document) ?? id}: ${error.message}`
}

function nameOf({ definitions }: DocumentNode): string | undefined {
  return definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? (definition.name?.value ?? []) : [],
  )[0]
}

function summary(problems: readonly string[]): string {
  const more = problems.length > maxListedProblems ? [`and ${problems.length - maxListedProblems} more`] : []
  return `cannot be used: ${[...problems.slice(0, maxListedProblems), ...more].join('; ')}`
}

const maxListedProblems = 5
