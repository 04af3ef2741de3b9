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
import { type InputPosition, type Inputs, literal } from './inputs.js'
import type { Random } from './random.js'

interface Variable {
  name: string
  type: string
  /** The default value as GraphQL text */
  defaultText: string | undefined
  input: GraphQLInputType
  /** Where it was first used */
  position: InputPosition
}

/** Generates the arguments of fields, and the operation's variables that they use. */
export class Arguments {
  private readonly variables: Variable[] = []

  constructor(
    private readonly random: Random,
    private readonly inputs: Inputs,
  ) {}

  /** Arguments with parentheses; an empty string if there are none. */
  textOf(field: GraphQLField<unknown, unknown>): string {
    const args = field.args.filter((argument) => isRequiredArgument(argument) || this.random.chance(0.2))
    if (args.length === 0) return ''
    return `(${args.map((argument) => this.part(argument, field.name)).join(', ')})`
  }

  /** Variable definitions with parentheses; an empty string if there are none. */
  definitions(): string {
    if (this.variables.length === 0) return ''
    const texts = this.variables.map(
      ({ name, type, defaultText }) => `$${name}: ${type}${defaultText === undefined ? '' : ` = ${defaultText}`}`,
    )
    return `(${texts.join(', ')})`
  }

  /** The variables of a request: most are valid, some omitted, a few invalid. */
  values(): Record<string, unknown> {
    const values: Record<string, unknown> = Object.create(null)
    if (this.random.chance(0.05)) values.undefinedVariable = 1
    for (const variable of this.variables) {
      const optional = !variable.type.endsWith('!') || variable.defaultText !== undefined
      if (!this.random.chance(optional ? 0.3 : 0.01)) values[variable.name] = this.valueOf(variable)
    }
    return { ...values }
  }

  private valueOf({ type, input, position }: Variable): unknown {
    if (this.random.chance(0.02)) return this.inputs.wrongValue()
    return type.endsWith('!') ? this.existing(input, position) : this.inputs.valueOf(input, position)
  }

  /** A constant, a variable, or a constant that contains variables. */
  private value(type: GraphQLInputType, position: InputPosition, hasDefault: boolean): string {
    if (this.random.chance(0.4)) return `$${this.variable(type, position, hasDefault)}`
    const nullable = getNullableType(type)
    if (isListType(nullable) && this.random.chance(0.5)) {
      const items = Array.from({ length: this.random.below(4) }, () => this.value(nullable.ofType, position, false))
      return `[${items.join(', ')}]`
    }
    if (isInputObjectType(nullable) && this.random.chance(0.5)) {
      const fields = Object.values(nullable.getFields()).filter((field) => isNonNullType(field.type) || this.random.chance(0.3))
      return `{ ${fields.map((field) => this.part(field, position.field)).join(', ')} }`
    }
    return literal(this.inputs.valueOf(type, position), type)
  }

  private part({ name, type, defaultValue }: GraphQLArgument | GraphQLInputField, field: string): string {
    return `${name}: ${this.value(type, { field, name }, defaultValue !== undefined)}`
  }

  private variable(type: GraphQLInputType, position: InputPosition, positionHasDefault: boolean): string {
    const input = getNullableType(type)
    const known = this.variables.find((variable) => variable.type === String(type) || variable.type === `${input}!`)
    if (known && this.random.chance(0.2)) return known.name
    // A nullable variable is allowed at a non-null position if the position or the variable has a default value.
    const loose = isNonNullType(type) && (positionHasDefault || this.random.chance(0.2))
    const strict = isNonNullType(type) ? !loose : this.random.chance(0.2)
    const defaultText =
      (loose && !positionHasDefault) || this.random.chance(0.2) ? literal(this.existing(input, position), input) : undefined
    const name = this.nameFor(position)
    this.variables.push({ name, type: strict ? `${input}!` : String(input), defaultText, input, position })
    return name
  }

  private existing(type: GraphQLInputType, position: InputPosition): unknown {
    return this.inputs.valueOf(new GraphQLNonNull(getNullableType(type)), position)
  }

  /** Sometimes names of inherited properties of objects. */
  private nameFor({ name }: InputPosition): string {
    const inherited = this.random.chance(0.05) ? this.random.pick(['constructor', '__proto__', 'toString']) : undefined
    const isUnused = inherited !== undefined && !this.variables.some((variable) => variable.name === inherited)
    return isUnused ? inherited : `${name}${this.variables.length}`
  }
}
