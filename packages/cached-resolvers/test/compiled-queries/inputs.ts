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
import { writableTexts } from './texts.js'

/** Where a value is needed */
export interface Place {
  field: string
  /** Of the argument, or of the input field in it */
  name: string
}

/** Gives a value for a place; undefined where any of its type will do. */
export type Suggest = (random: Random, place: Place, typeName: string) => unknown

/** Values for arguments, as JSON has them. */
export class Inputs {
  constructor(
    private readonly random: Random,
    private readonly suggest: Suggest,
  ) {}

  valueOf(type: GraphQLInputType, place: Place): unknown {
    if (isNonNullType(type)) return this.existing(type.ofType, place)
    return this.random.chance(0.1) ? null : this.existing(type, place)
  }

  /** One that the type refuses, or coerces in a way that surprises. */
  wrongValue(): unknown {
    return this.random.pick<unknown>([null, 1.5, 3_000_000_000, 'text', true, {}, [], [null], { id: {} }, [['nested']]])
  }

  private existing(type: GraphQLInputType, place: Place): unknown {
    if (isListType(type)) {
      // A single value is taken for a list of it.
      if (this.random.chance(0.1)) return this.existing(getNullableType(type.ofType), place)
      return Array.from({ length: this.random.below(4) }, () => this.valueOf(type.ofType, place))
    }
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || this.random.chance(0.4))
      return Object.fromEntries(fields.map((field) => [field.name, this.valueOf(field.type, { ...place, name: field.name })]))
    }
    if (isEnumType(type)) return this.random.pick(type.getValues()).name
    const typeName = getNamedType(type).name
    return this.suggest(this.random, place, typeName) ?? this.scalar(typeName)
  }

  private scalar(typeName: string): unknown {
    const { random } = this
    if (typeName === 'Int') return random.pick([0, 1, 2, 5, -1, 2_147_483_647])
    if (typeName === 'Float') return random.pick([0, 1, -0.5, 1e21, 1e-7])
    if (typeName === 'Boolean') return random.chance(0.5)
    if (typeName === 'ID' && random.chance(0.2)) return random.below(10)
    return random.pick(writableTexts)
  }
}

/** What stands for the value in a document. */
export function literal(value: unknown, type: GraphQLInputType): string {
  const its = getNullableType(type)
  if (value === null || value === undefined) return 'null'
  if (isListType(its)) {
    if (!Array.isArray(value)) return literal(value, its.ofType)
    return `[${value.map((item) => literal(item, its.ofType)).join(', ')}]`
  }
  if (isInputObjectType(its)) {
    const fields = its.getFields()
    const parts = Object.entries(value).map(([name, part]) => `${name}: ${literal(part, fields[name]?.type as GraphQLEnumType)}`)
    return `{ ${parts.join(', ')} }`
  }
  return isEnumType(its) ? String(value) : JSON.stringify(value)
}
