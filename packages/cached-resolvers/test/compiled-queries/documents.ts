import {
  doTypesOverlap,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isUnionType,
} from 'graphql'
import { Arguments } from './arguments.js'
import { Inputs, type SuggestValue } from './inputs.js'
import { Random } from './random.js'

export interface GeneratedRequest {
  variables: Record<string, unknown>
  operationName: string | undefined
}

export interface GeneratedDocument {
  source: string
  requests: GeneratedRequest[]
}

/** Generates a document, which is nearly always valid, and requests for it; the same for the same seed. */
export function generateDocument(schema: GraphQLSchema, seed: number, suggest: SuggestValue): GeneratedDocument {
  return new Generator(schema, new Random(seed), suggest).generate()
}

class Generator {
  private readonly args: Arguments
  private readonly fragments: { name: string; type: GraphQLCompositeType; text: string }[] = []
  /** By response name: the field, arguments and type that it has everywhere in the document */
  private readonly meanings = new Map<string, string>()
  private fieldsLeft: number
  private readonly directiveShare: number

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly random: Random,
    suggest: SuggestValue,
  ) {
    this.args = new Arguments(random, new Inputs(random, suggest))
    this.fieldsLeft = 4 + random.below(random.chance(0.1) ? 60 : 20)
    this.directiveShare = random.chance(0.04) ? 0.2 : 0
  }

  generate(): GeneratedDocument {
    const { random } = this
    const selections = this.selectionSet(this.schema.getQueryType() as GraphQLCompositeType, 0)
    const name = random.chance(0.6) ? random.pick(['Shop', 'query', '__proto__']) : undefined
    const others = name !== undefined && random.chance(0.04) ? 'query Other { __typename }' : ''
    const head = name === undefined && this.args.definitions() === '' ? '' : `query ${name ?? ''}${this.args.definitions()} `
    const fragments = this.fragments.map(({ name, type, text }) => `fragment ${name} on ${type.name} ${text}`)
    const definitions = [`${head}${selections}`, ...fragments, others].filter(Boolean)
    if (random.chance(0.3)) definitions.reverse()
    return { source: definitions.join('\n'), requests: Array.from({ length: 2 }, () => this.request(name)) }
  }

  private request(name: string | undefined): GeneratedRequest {
    const usualName = this.random.pick([undefined, undefined, name, name, name, name, name, name, name, name])
    const operationName = this.random.chance(0.03) ? this.random.pick(['Wrong', '', 'Other']) : usualName
    return { variables: this.args.values(), operationName }
  }

  private selectionSet(type: GraphQLCompositeType, depth: number): string {
    const count = 1 + this.random.below(depth === 0 ? 4 : 5)
    const selections = Array.from({ length: count }, () => this.selection(type, depth))
    return `{ ${selections.filter(Boolean).join(' ') || '__typename'} }`
  }

  private selection(type: GraphQLCompositeType, depth: number): string {
    if (depth < 8 && this.random.chance(isUnionType(type) ? 0.8 : 0.25)) return this.fragment(type, depth)
    if (isUnionType(type) || this.random.chance(0.1)) return this.named('__typename', '__typename: String!')
    const fields = Object.values(type.getFields())
    return this.field(this.random.pick(fields), depth)
  }

  private field(field: GraphQLField<unknown, unknown>, depth: number): string {
    const type = getNamedType(field.type)
    this.fieldsLeft -= 1
    if (!isCompositeType(type)) return this.namedField(field)
    if (this.fieldsLeft < 0 || depth > 12) return ''
    return `${this.namedField(field)}${this.directive()} ${this.selectionSet(type, depth + 1)}`
  }

  private namedField(field: GraphQLField<unknown, unknown>): string {
    const args = this.args.textOf(field)
    return this.named(`${field.name}${args}`, `${field.name}${args}: ${field.type}`)
  }

  /** Adds an alias if needed: a response name always means the same field, so that its selections can be merged. */
  private named(text: string, meaning: string): string {
    const fieldName = text.replace(/\(.*/s, '')
    if (!this.random.chance(0.15) && this.claims(fieldName, meaning)) return text
    for (const alias of [this.random.pick(['__proto__', 'constructor', 'a', 'b']), fieldName, `${fieldName}_`]) {
      if (alias !== fieldName && this.claims(alias, meaning)) return `${alias}: ${text}`
    }
    const alias = `x${this.meanings.size}`
    this.claims(alias, meaning)
    return `${alias}: ${text}`
  }

  private claims(name: string, meaning: string): boolean {
    const existing = this.meanings.get(name)
    if (existing === undefined) this.meanings.set(name, meaning)
    return existing === undefined || existing === meaning
  }

  private fragment(type: GraphQLCompositeType, depth: number): string {
    const others = this.fragments.filter((fragment) => doTypesOverlap(this.schema, fragment.type, type))
    if (others.length > 0 && this.random.chance(0.4)) return `...${this.random.pick(others).name}${this.directive()}`
    const condition = this.condition(type)
    if (this.random.chance(0.6)) {
      const on = condition === type && this.random.chance(0.5) ? '' : ` on ${condition.name}`
      return `...${on}${this.directive()} ${this.selectionSet(condition, depth + 1)}`
    }
    const text = this.selectionSet(condition, depth + 1)
    const name = `F${this.fragments.length}`
    this.fragments.push({ name, type: condition, text })
    return `...${name}`
  }

  /** A type condition that some values of the type satisfy */
  private condition(type: GraphQLCompositeType): GraphQLCompositeType {
    const types = Object.values(this.schema.getTypeMap()).filter(isCompositeType)
    return this.random.pick(types.filter((other) => doTypesOverlap(this.schema, other, type)))
  }

  private directive(): string {
    if (!this.random.chance(this.directiveShare)) return ''
    return ` @${this.random.pick(['skip', 'include'])}(if: ${this.random.chance(0.5)})`
  }
}
