import {
  buildSchema,
  type GraphQLAbstractType,
  type GraphQLFieldResolver,
  type GraphQLObjectType,
  type GraphQLScalarType,
  type GraphQLSchema,
  isObjectType,
} from 'graphql'
import { Animal, type ZooContext } from './animals.js'
import { seedOf } from './random.js'

/**
 * A schema with every kind of type and every way to resolve a field, with random errors everywhere. Query and Cat have resolvers;
 * the fields of Dog and Stone are properties or methods of the source object.
 */
export function createZooSchema(): GraphQLSchema {
  const schema = buildSchema(definitions)
  const types = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__'))
  for (const type of types as GraphQLObjectType[]) addResolvers(type)
  for (const name of ['Being', 'Find']) {
    const type = schema.getType(name) as GraphQLAbstractType
    type.resolveType = (animal) => animal.resolveType()
  }
  for (const name of ['Cat', 'Stone']) {
    const type = schema.getType(name) as GraphQLObjectType
    type.isTypeOf = (animal) => animal.isTypeOf(name)
  }
  const anything = schema.getType('Anything') as GraphQLScalarType
  anything.serialize = (value) => (typeof value === 'function' ? value() : value)
  return schema
}

function addResolvers(type: GraphQLObjectType): void {
  const resolves = type.name === 'Query' || type.name === 'Cat'
  for (const field of Object.values(type.getFields())) {
    const special = specialResolvers[field.name]
    if (resolves || special?.everywhere) field.resolve = special?.resolve ?? resolve
    else addMember(field.name, field.type)
  }
}

const resolve: Resolver = (source, args, context, { fieldName, returnType }) =>
  (source ?? new Animal('Query', context.seed, context)).valueOf(fieldName, returnType, args)

const specialResolvers: Record<string, { resolve: Resolver; everywhere: boolean }> = {
  /** Returns its arguments; for types without resolvers, Animal has a method echo(). */
  echo: { resolve: (_, args) => JSON.stringify(args), everywhere: false },
  where: {
    resolve: (_, __, { unusual }, info) => (unusual ? `${info.path.key} of ${info.path.typename}` : 'here'),
    everywhere: true,
  },
  /** Returns the parts of `info` that compiled queries provide */
  asked: {
    resolve: (_, __, ___, { fieldName, fieldNodes, parentType, returnType, operation, fragments }) =>
      [fieldName, fieldNodes.length, parentType, returnType, operation.name?.value, ...Object.keys(fragments)].join(' '),
    everywhere: true,
  },
}

/** Adds a member for execution without a resolver: a method or a getter. */
function addMember(name: string, type: Parameters<Animal['valueOf']>[1]): void {
  const members = Animal.prototype as unknown as Record<string, unknown>
  if (name in members) return
  if (seedOf(1, name) % 2 === 0) {
    members[name] = function (this: Animal, args: unknown) {
      return this.valueOf(name, type, args)
    }
  } else {
    Object.defineProperty(members, name, {
      get(this: Animal) {
        return this.valueOf(name, type, undefined)
      },
    })
  }
}

type Resolver = GraphQLFieldResolver<Animal | undefined, ZooContext, Record<string, unknown>>

const leaves = `
  text: String  int: Int  float: Float  flag: Boolean  colour: Colour  anything: Anything  id: ID
  texts: [String]  strictTexts: [String!]!  matrix: [[Float!]]  things: [Anything]
  strictText: String!  strictInt: Int!  strictColour: Colour!  strictAnything: Anything!
  where: String  asked: String
`

const fields = `${leaves}
  being: Being  strictBeing: Being!  beings: [Being]  strictBeings: [Being!]!
  find: Find  finds: [Find!]  cat: Cat  strictDog: Dog!  dogs: [[Dog]]  stone: Stone
  echo(
    int: Int = 7, strictInt: Int! = 8, float: Float, text: String, id: ID, ids: [ID!], colour: Colour = GREEN, filter: Filter
    matrix: [[Int]]
  ): String
`

const definitions = `
  scalar Anything
  enum Colour { RED GREEN BLUE }
  input Filter { text: String = "some", ids: [ID!], colour: Colour!, inner: Filter, flags: [Boolean!]! = [true] }
  interface Being { ${fields} }
  type Cat implements Being { ${fields} purrs: Boolean }
  type Dog implements Being { ${fields} barks(loud: Boolean!): Boolean }
  type Stone { ${leaves} on: Stone }
  union Find = Cat | Dog | Stone
  type Query { ${fields} }
`
