import { type DocumentNode, type GraphQLSchema, Kind, parse, specifiedRules, validate } from 'graphql'
import { z } from 'zod'
import { maxSourceLength, parseOptions, validationRules } from '../../graphql/document-limits.js'

/** A manifest that cannot be used; the message says where and why. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
}

interface Entry {
  id: string
  text: string
  /** The operation's, where the manifest says it */
  name?: string
}

/** Documents that the frontends were built with, by the ids that they send for them */
export class TrustedDocuments {
  private readonly texts: ReadonlySet<string>

  private constructor(private readonly byId: ReadonlyMap<string, string>) {
    this.texts = new Set(byId.values())
  }

  /** Of the client preset of graphql-codegen, or of Apollo's persisted query manifest. Throws ManifestError. */
  static of(manifest: string, schema: GraphQLSchema): TrustedDocuments {
    const entries = readEntries(manifest)
    const faults = entries.flatMap((entry) => faultOf(entry, schema) ?? [])
    const ids = new Set<string>()
    for (const { id } of entries) {
      if (ids.has(id)) faults.push(`the id ${id} is there twice`)
      ids.add(id)
    }
    if (entries.length === 0) faults.push('there is no operation in it')
    if (faults.length > 0) throw new ManifestError(summary(faults))
    return new TrustedDocuments(new Map(entries.map(({ id, text }) => [id, text])))
  }

  /** `sha256:` before the id is how GraphQL over HTTP says what kind of hash it is. */
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

function readEntries(manifest: string): Entry[] {
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

function faultOf({ id, text, name }: Entry, schema: GraphQLSchema): string | undefined {
  if (text.length > maxSourceLength) return `${name ?? id}: has ${text.length} characters, and ${maxSourceLength} are allowed`
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
  return definitions.flatMap((its) => (its.kind === Kind.OPERATION_DEFINITION ? (its.name?.value ?? []) : []))[0]
}

function summary(faults: readonly string[]): string {
  const more = faults.length > maxFaults ? [`and ${faults.length - maxFaults} more`] : []
  return `cannot be used: ${[...faults.slice(0, maxFaults), ...more].join('; ')}`
}

const maxFaults = 5
