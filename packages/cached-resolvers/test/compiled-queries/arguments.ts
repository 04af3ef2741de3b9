import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  GraphQLNonNull,
  getNullableType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredArgument,
} from 'graphql'
import { type Inputs, literal, type Place } from './inputs.js'
import type { Random } from './random.js'

interface Variable {
  name: string
  type: string
  /** Of the type, as it stands in the document */
  defaultText: string | undefined
  input: GraphQLInputType
  /** Where it was first used */
  place: Place
}

/** The arguments of fields, and the variables of the operation that they use. */
export class Arguments {
  private readonly variables: Variable[] = []

  constructor(
    private readonly random: Random,
    private readonly inputs: Inputs,
  ) {}

  /** With parentheses; nothing where none is given. */
  textOf(field: GraphQLField<unknown, unknown>): string {
    const given = field.args.filter((argument) => isRequiredArgument(argument) || this.random.chance(0.2))
    if (given.length === 0) return ''
    return `(${given.map((argument) => this.part(argument, field.name)).join(', ')})`
  }

  /** With parentheses; nothing where there is none. */
  definitions(): string {
    if (this.variables.length === 0) return ''
    const texts = this.variables.map(
      ({ name, type, defaultText }) => `$${name}: ${type}${defaultText === undefined ? '' : ` = ${defaultText}`}`,
    )
    return `(${texts.join(', ')})`
  }

  /** A request's: most are right, some left out, a few wrong. */
  values(): Record<string, unknown> {
    const values: Record<string, unknown> = Object.create(null)
    if (this.random.chance(0.05)) values.unasked = 1
    for (const variable of this.variables) {
      const optional = !variable.type.endsWith('!') || variable.defaultText !== undefined
      if (!this.random.chance(optional ? 0.3 : 0.01)) values[variable.name] = this.valueOf(variable)
    }
    return { ...values }
  }

  private valueOf({ type, input, place }: Variable): unknown {
    if (this.random.chance(0.02)) return this.inputs.wrongValue()
    return type.endsWith('!') ? this.existing(input, place) : this.inputs.valueOf(input, place)
  }

  /** A constant, a variable, or a constant with variables inside. */
  private value(type: GraphQLInputType, place: Place, hasDefault: boolean): string {
    if (this.random.chance(0.4)) return `$${this.variable(type, place, hasDefault)}`
    const its = getNullableType(type)
    if (isListType(its) && this.random.chance(0.5)) {
      const items = Array.from({ length: this.random.below(4) }, () => this.value(its.ofType, place, false))
      return `[${items.join(', ')}]`
    }
    if (isInputObjectType(its) && this.random.chance(0.5)) {
      const fields = Object.values(its.getFields()).filter((field) => isNonNullType(field.type) || this.random.chance(0.3))
      return `{ ${fields.map((field) => this.part(field, place.field)).join(', ')} }`
    }
    return literal(this.inputs.valueOf(type, place), type)
  }

  private part({ name, type, defaultValue }: GraphQLArgument | GraphQLInputField, field: string): string {
    return `${name}: ${this.value(type, { field, name }, defaultValue !== undefined)}`
  }

  private variable(type: GraphQLInputType, place: Place, placeHasDefault: boolean): string {
    const input = getNullableType(type)
    const known = this.variables.find((its) => its.type === String(type) || its.type === `${input}!`)
    if (known && this.random.chance(0.2)) return known.name
    // A variable that may be null may stand where null may not, if the place or the variable has a default.
    const loose = isNonNullType(type) && (placeHasDefault || this.random.chance(0.2))
    const strict = isNonNullType(type) ? !loose : this.random.chance(0.2)
    const defaultText =
      (loose && !placeHasDefault) || this.random.chance(0.2) ? literal(this.existing(input, place), input) : undefined
    const name = this.nameFor(place)
    this.variables.push({ name, type: strict ? `${input}!` : String(input), defaultText, input, place })
    return name
  }

  private existing(type: GraphQLInputType, place: Place): unknown {
    return this.inputs.valueOf(new GraphQLNonNull(getNullableType(type)), place)
  }

  /** Names that objects have by birth must be no trap. */
  private nameFor({ name }: Place): string {
    const trap = this.random.chance(0.05) ? this.random.pick(['constructor', '__proto__', 'toString']) : undefined
    const free = trap !== undefined && !this.variables.some((variable) => variable.name === trap)
    return free ? trap : `${name}${this.variables.length}`
  }
}
