import type { CodegenConfig } from '@graphql-codegen/cli'

/** Generates types for every document in src/ from the schema of the server. `schema` may also be the URL of a running server. */
const config: CodegenConfig = {
  schema: '../../schema.graphql',
  documents: ['src/**/*.ts'],
  generates: {
    'src/gql/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        scalars: { DateTime: 'string' },
        useTypeImports: true,
        enumsAsTypes: true,
      },
    },
  },
  importExtension: '.js',
}

export default config
