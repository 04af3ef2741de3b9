import {
  type GraphQLEnumType,
  type GraphQLInputType,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql'
import type { Random } from './random.js'
import { documentStrings } from './strings.js'

/** The position of an input value */
export interface InputPosition {
  field: string
  /** Of the argument, or of the input field in its value */
  name: string
}

/** Returns a value for a position; undefined if any value of the type will do. */
export type SuggestValue = (random: Random, position: InputPosition, typeName: string) => unknown

/** Generates input values, as in the JSON of a request. */
export class Inputs {
  constructor(
    private readonly random: Random,
    private readonly suggest: SuggestValue,
  ) {}

  valueOf(type: GraphQLInputType, position: InputPosition): unknown {
    if (isNonNullType(type)) return this.existing(type.ofType, position)
    return this.random.chance(0.1) ? null : this.existing(type, position)
  }

  /** A value that the type rejects, or coerces in a surprising way. */
  wrongValue(): unknown {
    return this.random.pick<unknown>([null, 1.5, 3_000_000_000, 'text', true, {}, [], [null], { id: {} }, [['nested']]])
  }

  private existing(type: GraphQLInputType, position: InputPosition): unknown {
    if (isListType(type)) {
      // A single value is coerced to a list of one item.
      if (this.random.chance(0.1)) return this.existing(getNullableType(type.ofType), position)
      return Array.from({ length: this.random.below(4) }, () => this.valueOf(type.ofType, position))
    }
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || this.random.chance(0.4))
      return Object.fromEntries(fields.map((field) => [field.name, this.valueOf(field.type, { ...position, name: field.name })]))
    }
    if (isEnumType(type)) return this.random.pick(type.getValues()).name
    const typeName = getNamedType(type).name
    return this.suggest(this.random, position, typeName) ?? this.scalar(typeName)
  }

  private scalar(typeName: string): unknown {
    const { random } = this
    if (typeName === 'Int') return random.pick([0, 1, 2, 5, -1, 2_147_483_647])
    if (typeName === 'Float') return random.pick([0, 1, -0.5, 1e21, 1e-7])
    if (typeName === 'Boolean') return random.chance(0.5)
    if (typeName === 'ID' && random.chance(0.2)) return random.below(10)
    return random.pick(documentStrings)
  }
}

/** The value as GraphQL text. */
export function literal(value: unknown, type: GraphQLInputType): string {
  const nullable = getNullableType(type)
  if (value === null || value === undefined) return 'null'
  if (isListType(nullable)) {
    if (!Array.isArray(value)) return literal(value, nullable.ofType)
    return `[${value.map((item) => literal(item, nullable.ofType)).join(', ')}]`
  }
  if (isInputObjectType(nullable)) {
    const fields = nullable.getFields()
    const parts = Object.entries(value).map(([name, part]) => `${name}: ${literal(part, fields[name]?.type as GraphQLEnumType)}`)
    return `{ ${parts.join(', ')} }`
  }
  return isEnumType(nullable) ? String(value) : JSON.stringify(value)
}
